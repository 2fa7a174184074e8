"""What those send and are answered to whom a message is offered (SPEC R3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypedDict

from app.schemas.deliveries import Done, Read, epoch_field, token_field
from app.schemas.fields import Duration, agent_id_field
from app.schemas.shape import Shape
from broker.kernel.clock import rfc3339
from broker.kernel.ids import MessageId
from broker.messaging.claim_store import Claim
from broker.messaging.delivery import Delivered
from broker.messaging.wire import DeliveredView, LeaseView, Timestamp, delivered, lease


@dataclass(frozen=True, kw_only=True)
class Claiming(Read):
    """A recipient wants the message for itself; `claim_ms` is for how long."""

    claim_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class Renewal(Done):
    """A recipient needs more time for a message that it has claimed."""

    claim_ms: int


class ClaimShape(Shape[Claiming]):
    """A message is to be claimed."""

    agent_id = agent_id_field(required=True, description="The recipient.")
    claim_ms = Duration(
        data_key="claim_seconds", description="How long it is yours; as a lease if not given."
    )
    epoch = epoch_field()

    def build(self, values: dict[str, Any]) -> Claiming:
        """The claim that is meant."""
        return Claiming(**values)


class RenewShape(Shape[Renewal]):
    """A claim needs more time."""

    agent_id = agent_id_field(required=True, description="The recipient.")
    lease_token = token_field()
    claim_ms = Duration(
        required=True, data_key="seconds", description="The claim ends so long from now."
    )
    epoch = epoch_field()

    def build(self, values: dict[str, Any]) -> Renewal:
        """The claim that is meant."""
        return Renewal(**values)


class ReleaseShape(Shape[Done]):
    """A claim is given up."""

    agent_id = agent_id_field(required=True, description="The recipient.")
    lease_token = token_field()
    epoch = epoch_field()

    def build(self, values: dict[str, Any]) -> Done:
        """The claim that is meant."""
        return Done(**values)


class ClaimedView(TypedDict):
    """A message that is the caller's now: finish it by the claim's token."""

    id: str
    claim: LeaseView
    message: DeliveredView


class RenewedView(TypedDict):
    """A claim that was renewed."""

    id: str
    claim: LeaseView


class ReleasedView(TypedDict):
    """A message that is offered to all again."""

    id: str
    status: str


class ClaimView(TypedDict):
    """Who has claimed a message: `open`, `claimed` until a time, or `done`."""

    id: str
    status: str
    agent_id: str | None
    expires_at: Timestamp | None


def claimed(one: Delivered) -> ClaimedView:
    """A message that was claimed; encode with `msgspec.json`."""
    if one.lease is None:
        raise TypeError(one)
    return {"id": one.message.id, "claim": lease(one.lease), "message": delivered(one)}


def renewed(message: MessageId, token: str, ends_at: int) -> RenewedView:
    """A claim with its new end."""
    return {"id": message, "claim": {"token": token, "expires_at": rfc3339(ends_at)}}


def released(message: MessageId) -> ReleasedView:
    """A message that can be claimed again."""
    return {"id": message, "status": "open"}


def claim(message: MessageId, found: Claim | None) -> ClaimView:
    """Where a message stands with those to whom it is offered; the token is its holder's alone."""
    if found is None:
        return {"id": message, "status": "open", "agent_id": None, "expires_at": None}
    return {
        "id": message,
        "status": "done" if found.done else "claimed",
        "agent_id": found.agent_id,
        "expires_at": None if found.done else rfc3339(found.expires_at),
    }


CLAIM: Final = ClaimShape()
RENEW: Final = RenewShape()
RELEASE: Final = ReleaseShape()
