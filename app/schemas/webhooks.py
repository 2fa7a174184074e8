"""Webhooks: what an agent asks for, and how its endpoint fares (SPEC T4)."""

from __future__ import annotations

import re
from typing import Any, Final, NotRequired, TypedDict

from marshmallow import ValidationError

from app.schemas.fields import Duration, Line
from app.schemas.kinds import Kind
from app.schemas.messages import moment
from app.schemas.shape import Shape
from broker.delivery.breaker import BreakerPolicy
from broker.delivery.endpoint import MAX_URL
from broker.delivery.posting import is_reserved
from broker.delivery.verdict import Outcome
from broker.delivery.webhook import Webhook, WebhookDefinition, WebhookPolicy
from broker.delivery.webhooks import Set, Tried
from broker.kernel.clock import MILLISECONDS, rfc3339
from broker.messaging.wire import Timestamp

MAX_TIMEOUT_SECONDS: Final = 60
_MAX_OVERLAP_SECONDS: Final = 604_800
_OVERLAP_MS: Final = 86_400_000
_MAX_HEADERS: Final = 20
_NAME: Final = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$"
_VALUE: Final = r"^[!-~](?:[ -~]{0,2046}[!-~])?$"


class _Headers(Kind[dict[str, str]]):
    """Headers of a request, by their names in lower case."""

    _name: Final = re.compile(_NAME)
    _value: Final = re.compile(_VALUE)

    def __init__(self, *, description: str) -> None:
        super().__init__(
            {
                "type": "object",
                "maxProperties": _MAX_HEADERS,
                "propertyNames": {"pattern": _NAME},
                "additionalProperties": {"type": "string", "pattern": _VALUE},
            },
            description=description,
        )

    def _deserialize(self, value: object, *_: object, **__: object) -> dict[str, str]:
        if not isinstance(value, dict) or len(value) > _MAX_HEADERS:
            raise ValidationError(f"must be an object of at most {_MAX_HEADERS} headers")
        headers: dict[str, str] = {}
        for name, text in value.items():
            if not self._name.fullmatch(name) or is_reserved(name) or name.lower() in headers:
                raise ValidationError(f"{name[:64]!r} can't be set: it is no name, ours, or twice")
            if not isinstance(text, str) or not self._value.fullmatch(text):
                raise ValidationError(f"{name}: must be 1 to 2048 characters of plain ASCII")
            headers[name.lower()] = text
        return headers


class WebhookShape(Shape[WebhookDefinition]):
    """Where an agent's messages are posted."""

    url = Line(MAX_URL, required=True, description="https://…; no user, password or fragment.")
    timeout_ms = Duration(
        1,
        MAX_TIMEOUT_SECONDS,
        data_key="timeout_seconds",
        description="How long an answer may take; as long as the station waits if nothing is said.",
    )
    headers = _Headers(description="Sent along with each request; their values are never shown.")

    def build(self, values: dict[str, Any]) -> WebhookDefinition:
        """The webhook that is asked for."""
        return WebhookDefinition(**values)


class RotateShape(Shape[int]):
    """A new secret is asked for."""

    overlap_ms = Duration(
        0,
        _MAX_OVERLAP_SECONDS,
        data_key="overlap_seconds",
        description="For how long the old one signs as well; a day if nothing is said.",
    )

    def build(self, values: dict[str, Any]) -> int:
        """The overlap in ms."""
        return int(values.get("overlap_ms", _OVERLAP_MS))


class BreakerView(TypedDict):
    """Whether an endpoint is tried: closed, open (until `retry_at`), half_open (one attempt)."""

    state: str
    failures: int
    retry_at: Timestamp | None


class WebhookView(TypedDict):
    """An agent's webhook; `headers` are names, `status` is active or disabled (by a 410)."""

    agent_id: str
    url: str
    timeout_seconds: float
    headers: list[str]
    status: str
    disabled_at: Timestamp | None
    disabled_because: str | None
    breaker: BreakerView
    created_at: Timestamp
    changed_at: Timestamp
    secret_rotated_at: Timestamp | None
    old_secret_until: str | None
    last_success_at: Timestamp | None
    last_failure_at: Timestamp | None
    last_failure: str | None


class OneWebhookView(TypedDict):
    """One webhook; with its secret where that is new. It is never shown again."""

    webhook: WebhookView
    secret: NotRequired[str]


class SecretView(TypedDict):
    """A new secret; it is never shown again."""

    secret: str


class TriedView(TypedDict):
    """What an endpoint answered to a test: `answer` says how it began, or why there was none."""

    delivered: bool
    webhook_id: str
    answer: str
    duration_ms: int


def webhook_view(webhook: Webhook, policy: WebhookPolicy, now: int) -> WebhookView:
    """A webhook without what is secret."""
    definition = webhook.definition
    return {
        "agent_id": webhook.agent_id,
        "url": definition.url,
        "timeout_seconds": (definition.timeout_ms or policy.timeout_ms) / MILLISECONDS,
        "headers": sorted(definition.headers),
        "status": "active" if webhook.disabled_at is None else "disabled",
        "disabled_at": moment(webhook.disabled_at),
        "disabled_because": webhook.disabled_because,
        "breaker": _breaker_view(webhook, policy.breaker, now),
        "created_at": rfc3339(webhook.created_at),
        "changed_at": rfc3339(webhook.changed_at),
        "secret_rotated_at": moment(webhook.rotated_at),
        "old_secret_until": rfc3339(webhook.old_until) if now < webhook.old_until else None,
        "last_success_at": moment(webhook.succeeded_at),
        "last_failure_at": moment(webhook.failed_at),
        "last_failure": webhook.failure,
    }


def set_view(result: Set, policy: WebhookPolicy, now: int) -> OneWebhookView:
    """A webhook that was set."""
    view: OneWebhookView = {"webhook": webhook_view(result.webhook, policy, now)}
    if result.secret is not None:
        view["secret"] = result.secret
    return view


def tried_view(tried: Tried) -> TriedView:
    """What came of a test."""
    return {
        "delivered": tried.verdict.outcome is Outcome.DELIVERED,
        "webhook_id": tried.message_id,
        "answer": tried.verdict.reason,
        "duration_ms": tried.took_ms,
    }


def _breaker_view(webhook: Webhook, policy: BreakerPolicy, now: int) -> BreakerView:
    return {
        "state": webhook.breaker.state(now, policy).value,
        "failures": webhook.breaker.failures,
        "retry_at": moment(webhook.breaker.retry_at(policy)),
    }


WEBHOOK: Final = WebhookShape()
ROTATE: Final = RotateShape()
