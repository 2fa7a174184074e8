"""Claims: of those to whom a message is offered, one gets it (SPEC R3)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from app.access import AS_BODY_AGENT, VISIBLE, viewer
from app.context import broker
from app.json_document import answer
from app.rest.operation import operation
from app.schemas import claims as views
from app.schemas.claims import (
    CLAIM,
    RELEASE,
    RENEW,
    ClaimedView,
    Claiming,
    ClaimView,
    ReleasedView,
    Renewal,
    RenewedView,
)
from app.schemas.deliveries import Done
from broker.kernel.ids import MessageId

claims = APIBlueprint("claims", __name__)

_ERRORS = ("unknown_agent", "message_not_found", "stale_epoch")


@claims.post("/messages/<message_id>/claim")
@operation(
    "claimMessage",
    access=AS_BODY_AGENT,
    body=CLAIM,
    example={"agent_id": "bob", "claim_seconds": 120},
    answers={200: ClaimedView},
    errors=(*_ERRORS, "claim_held", "claim_done", "not_claimable"),
)
def claim(message_id: MessageId, body: Claiming) -> Response:
    """Claim a message that is offered to several; it is yours until the claim ends.

    Finish it by the claim's token, as any leased message. The same call again gets the same claim.
    """
    held = broker().claims.claim(
        body.agent_id, message_id, claim_ms=body.claim_ms, epoch=body.epoch
    )
    return answer(views.claimed(held))


@claims.post("/messages/<message_id>/claim/renew")
@operation(
    "renewClaim",
    access=AS_BODY_AGENT,
    body=RENEW,
    example={"agent_id": "bob", "lease_token": "17-5f0c7a1b9d2e", "seconds": 120},
    answers={200: RenewedView},
    errors=(*_ERRORS, "stale_lease"),
)
def renew(message_id: MessageId, body: Renewal) -> Response:
    """Keep a claimed message for longer."""
    ends_at = broker().claims.renew(
        body.agent_id, message_id, body.lease_token, claim_ms=body.claim_ms, epoch=body.epoch
    )
    return answer(views.renewed(message_id, body.lease_token, ends_at))


@claims.post("/messages/<message_id>/claim/release")
@operation(
    "releaseClaim",
    access=AS_BODY_AGENT,
    body=RELEASE,
    example={"agent_id": "bob", "lease_token": "17-5f0c7a1b9d2e"},
    answers={200: ReleasedView},
    errors=(*_ERRORS, "stale_lease", "not_claimed"),
)
def release(message_id: MessageId, body: Done) -> Response:
    """Give a claimed message back to all to whom it was offered; no attempt is counted."""
    broker().claims.release(body.agent_id, message_id, body.lease_token, epoch=body.epoch)
    return answer(views.released(message_id))


@claims.get("/messages/<message_id>/claim")
@operation(
    "getClaim",
    access=VISIBLE,
    answers={200: ClaimView},
    errors=("message_not_found", "not_claimable"),
)
def show(message_id: MessageId) -> Response:
    """Show who has claimed a message, and until when."""
    return answer(views.claim(message_id, broker().claims.of(message_id, viewer())))
