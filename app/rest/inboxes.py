"""Inboxes: fetching messages, and finishing, returning or keeping what was fetched (SPEC M5-M7)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response, request

from app.access import AS_BODY_AGENT, AS_PATH_AGENT
from app.context import broker, context
from app.errors import problem
from app.json_document import answer
from app.rest.operation import operation
from app.schemas.deliveries import (
    ACKNOWLEDGE,
    ACKNOWLEDGE_MANY,
    EXTEND,
    FETCH,
    READ,
    REJECT,
    RELEASE_MANY,
    AcknowledgedView,
    AcknowledgeMany,
    Done,
    ExtendedView,
    Extension,
    Fetch,
    InboxView,
    Read,
    ReadView,
    RejectedView,
    Rejection,
    ReleaseMany,
    ReturnedView,
    StateView,
)
from app.schemas.messages import moment
from app.standing import Standing
from broker.kernel.clock import rfc3339
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.wire import delivered

inboxes = APIBlueprint("inboxes", __name__)

_LEASE_ERRORS = ("unknown_agent", "message_not_found", "stale_lease", "stale_epoch")


def _fetched(agent_id: AgentId, query: Fetch) -> Response:
    inbox = broker().inboxes
    found = (
        inbox.peek(agent_id, query.wanted)
        if query.peek or request.method == "HEAD"  # which may change nothing (RFC 9110)
        else inbox.lease(
            agent_id,
            query.wanted,
            lease_ms=query.lease_ms,
            wait_seconds=query.wait_ms / 1000,
            epoch=query.epoch,
            stop=context().stopping,
            check=Standing.of_caller(agent_id).check,
        )
    )
    return answer(InboxView(messages=[delivered(one) for one in found]))


@inboxes.get("/agents/<agent_id>/inbox")
@operation(
    "fetchInbox",
    access=AS_PATH_AGENT,
    query=FETCH,
    answers={200: InboxView},
    errors=("unknown_agent", "stale_epoch"),
)
def fetch(agent_id: AgentId, query: Fetch) -> Response:
    """Lease the first messages of an inbox, waiting for one if asked to.

    Each comes with a lease; acknowledge it before the lease ends, or the message comes again.
    """
    return _fetched(agent_id, query)


@inboxes.get("/messages/<agent_id>")
@operation(
    "fetchInboxByAgent", access=AS_PATH_AGENT, query=FETCH, answers={200: InboxView}, hidden=True
)
def fetch_by_agent(agent_id: AgentId, query: Fetch) -> Response:
    """The inbox of an agent under the name that SPEC M5 also gives it."""
    return _fetched(agent_id, query)


@inboxes.post("/messages/<message_id>/ack")
@operation(
    "acknowledgeMessage",
    access=AS_BODY_AGENT,
    body=ACKNOWLEDGE,
    example={"agent_id": "bob", "lease_token": "5f0c7a1b9d2e-1"},
    answers={200: StateView},
    errors=(*_LEASE_ERRORS, "not_claimed"),
)
def acknowledge(message_id: MessageId, body: Done) -> Response:
    """Finish a leased message for good."""
    broker().inboxes.acknowledge(body.agent_id, message_id, body.lease_token, epoch=body.epoch)
    return answer(StateView(id=message_id, status=DeliveryState.ACKNOWLEDGED.value))


@inboxes.post("/messages/<message_id>/nack")
@operation(
    "rejectMessage",
    access=AS_BODY_AGENT,
    body=REJECT,
    example={"agent_id": "bob", "lease_token": "5f0c7a1b9d2e-1", "reason": "no checkout yet"},
    answers={200: RejectedView},
    errors=_LEASE_ERRORS,
)
def reject(message_id: MessageId, body: Rejection) -> Response:
    """Give a leased message back: it is tried again later, or becomes a dead letter.

    What is only offered is put aside for a while, or declined for good.
    """
    result = broker().inboxes.reject(
        body.agent_id,
        message_id,
        body.lease_token,
        reason=body.reason,
        delay_ms=body.delay_ms,
        permanent=body.permanent,
        epoch=body.epoch,
    )
    next_attempt_at = moment(result.next_attempt_at)
    return answer(
        RejectedView(id=message_id, status=result.state.value, next_attempt_at=next_attempt_at)
    )


@inboxes.post("/messages/<message_id>/extend")
@operation(
    "extendLease",
    access=AS_BODY_AGENT,
    body=EXTEND,
    example={"agent_id": "bob", "lease_token": "5f0c7a1b9d2e-1", "seconds": 120},
    answers={200: ExtendedView},
    errors=(*_LEASE_ERRORS, "renew_claim"),
)
def extend(message_id: MessageId, body: Extension) -> Response:
    """Keep a leased message for longer."""
    until = broker().inboxes.extend(
        body.agent_id, message_id, body.lease_token, lease_ms=body.lease_ms, epoch=body.epoch
    )
    lease = {"token": body.lease_token, "expires_at": rfc3339(until)}
    return answer({"id": message_id, "lease": lease})


@inboxes.post("/messages/<message_id>/read")
@operation(
    "markRead",
    access=AS_BODY_AGENT,
    body=READ,
    example={"agent_id": "bob"},
    answers={200: ReadView},
    errors=("unknown_agent", "message_not_found", "stale_epoch"),
)
def mark_read(message_id: MessageId, body: Read) -> Response:
    """Note that the recipient has read a message; its sender sees that in the receipt."""
    read_at = broker().inboxes.mark_read(body.agent_id, message_id, epoch=body.epoch)
    return answer(ReadView(id=message_id, read_at=rfc3339(read_at)))


@inboxes.post("/agents/<agent_id>/inbox/ack")
@operation(
    "acknowledgeMessages",
    access=AS_PATH_AGENT,
    body=ACKNOWLEDGE_MANY,
    batch=True,
    answers={200: AcknowledgedView},
    errors=("unknown_agent", "stale_epoch"),
)
def acknowledge_many(agent_id: AgentId, body: AcknowledgeMany) -> Response:
    """Finish up to 1000 leased messages; a result each, in order."""
    refusals = broker().inboxes.acknowledge_many(agent_id, body.acks, epoch=body.epoch)
    return answer(
        {
            "results": [
                {"id": one.message_id, "status": DeliveryState.ACKNOWLEDGED.value}
                if refusal is None
                else {"id": one.message_id, "problem": problem(refusal)}
                for one, refusal in zip(body.acks, refusals, strict=True)
            ]
        }
    )


@inboxes.post("/agents/<agent_id>/inbox/release")
@operation(
    "releaseLeases",
    access=AS_PATH_AGENT,
    body=RELEASE_MANY,
    example={"leases": [{"id": "msg_01JD0000000000000000000000", "lease_token": "5f0c-1"}]},
    answers={200: ReturnedView},
    errors=("unknown_agent",),
)
def release_leases(agent_id: AgentId, body: ReleaseMany) -> Response:
    """Give leased messages back untouched: they come again at once, in their old places.

    For a consumer that stops before it has begun on them: no attempt is used up. What it could not
    handle is for `/nack`.
    """
    return answer(ReturnedView(returned=broker().inboxes.give_back(agent_id, body.leases)))
