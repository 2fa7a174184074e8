"""An agent's webhook: what the agent asks for, and how its endpoint fares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from broker.delivery.breaker import Breaker, BreakerPolicy
from broker.delivery.signature import WebhookSecret
from broker.kernel.errors import NotFoundError
from broker.kernel.ids import AgentId


class WebhookNotFoundError(NotFoundError):
    """The agent has no webhook."""

    code = "webhook_not_found"


@dataclass(frozen=True, kw_only=True)
class WebhookPolicy:
    """The station's side: how long (ms) an answer may take, where it posts, when it gives up."""

    timeout_ms: int
    allow_private: bool
    breaker: BreakerPolicy


@dataclass(frozen=True, kw_only=True)
class WebhookDefinition:
    """Where to post, how long to wait for an answer, and headers of the agent's own.

    Without `timeout_ms` it is as long as the station waits. The headers may hold secrets.
    """

    url: str
    timeout_ms: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """An agent's webhook; times in ms, None for never.

    `secret` signs, and until `old_until` so does `old_secret`. `failure` is what went wrong last.
    """

    agent_id: AgentId
    definition: WebhookDefinition
    secret: WebhookSecret = field(repr=False)
    old_secret: WebhookSecret | None = field(default=None, repr=False)
    old_until: int = 0
    breaker: Breaker = field(default_factory=Breaker)
    created_at: int = 0
    changed_at: int = 0
    rotated_at: int | None = None
    succeeded_at: int | None = None
    failed_at: int | None = None
    failure: str | None = None
    disabled_at: int | None = None
    disabled_because: str | None = None

    def secrets_at(self, now: int) -> tuple[WebhookSecret, ...]:
        """What requests are signed with at `now`."""
        if self.old_secret is None or now >= self.old_until:
            return (self.secret,)
        return (self.secret, self.old_secret)
