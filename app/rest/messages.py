"""Messages: sending, reading, following and withdrawing them (SPEC M1, M2, M4, M11, M13-M15)."""

from __future__ import annotations

import dataclasses
from typing import Final, TypeVar

from apiflask import APIBlueprint
from flask import Response

from app.access import (
    AS_EACH_SENDER,
    AS_SENDER,
    ITS_SENDER,
    VISIBLE,
    VISIBLE_OF_ALL,
    refusal_as,
    viewer,
)
from app.context import broker
from app.json_document import answer
from app.rest.operation import operation
from app.schemas.batches import BATCH, BatchView, as_results, drafts_of
from app.schemas.deliveries import StateView
from app.schemas.lists import FIND_MESSAGES, FindMessages, MessagesView, ReceiptsView
from app.schemas.messages import (
    BROADCAST_SEND,
    IDEMPOTENCY_HEADER,
    SEND,
    AcceptedView,
    MessageView,
    accepted,
    listed,
    receipt,
)
from broker.kernel.errors import FieldProblem, InvalidFieldsError
from broker.kernel.events import DeliveryState
from broker.kernel.ids import MessageId
from broker.messaging.message import Draft
from broker.messaging.recurring_definition import RecurringRequest

messages = APIBlueprint("messages", __name__)

_EXAMPLE: Final = {
    "from": "alice",
    "to": "bob",
    "body": "please review PR 12",
    "priority": "high",
    "idempotency_key": "pr-12",
}
SEND_ERRORS: Final = (
    "unknown_agent",
    "no_recipients",
    "idempotency_conflict",
    "stale_epoch",
    "message_too_large",
    "inbox_full",
)


@messages.post("/messages")
@operation(
    "sendMessage",
    access=AS_SENDER,
    body=SEND,
    headers=IDEMPOTENCY_HEADER,
    example=_EXAMPLE,
    answers={202: AcceptedView, 200: AcceptedView},
    errors=SEND_ERRORS,
)
def send(body: Draft, headers: str | None) -> Response:
    """Send a message.

    202: it is on disk and will be routed. 200: a repeat of an idempotency key; the first
    message's answer, nothing new was stored.
    """
    result = broker().queue.send(with_key(body, headers), viewer())
    return answer(accepted(result), 202 if result.created else 200)


@messages.post("/broadcast")
@operation(
    "broadcastMessage",
    access=AS_SENDER,
    body=BROADCAST_SEND,
    headers=IDEMPOTENCY_HEADER,
    example={"from": "alice", "body": "deploying in five minutes"},
    answers={202: AcceptedView, 200: AcceptedView},
    errors=SEND_ERRORS,
)
def broadcast(body: Draft, headers: str | None) -> Response:
    """Send a message to everyone, or to the targets that it names."""
    result = broker().queue.send(with_key(body, headers), viewer())
    return answer(accepted(result), 202 if result.created else 200)


@messages.post("/messages/batch")
@operation(
    "sendMessages",
    access=AS_EACH_SENDER,
    body=BATCH,
    batch=True,
    count=len,
    example={"messages": [_EXAMPLE]},
    answers={202: BatchView},
)
def send_batch(body: list[object]) -> Response:
    """Send up to 1000 messages; a result each, in order. A bad one does not sink the rest."""
    drafts = drafts_of(body, refusal_as)
    sent = broker().queue.send_many(
        [draft for draft in drafts if isinstance(draft, Draft)], viewer()
    )
    return answer(as_results(drafts, sent), 202)


@messages.get("/messages")
@operation("findMessages", access=VISIBLE_OF_ALL, query=FIND_MESSAGES, answers={200: MessagesView})
def find(query: FindMessages) -> Response:
    """List messages, newest first."""
    found, cursor = broker().archive.find(
        query.wanted, limit=query.limit, before=query.before, viewer=viewer()
    )
    return answer(MessagesView(messages=[listed(one) for one in found], cursor=cursor))


@messages.get("/messages/<message:message_id>")
@operation(
    "getMessage",
    access=VISIBLE,
    answers={200: MessageView},
    errors=("message_not_found", "unknown_agent"),
)
def get(message_id: MessageId) -> Response:
    """Show a message and where it stands.

    With an agent's id in place of a message's, this is that agent's inbox under another name.
    """
    return answer(listed(broker().archive.get(message_id, viewer())))


@messages.delete("/messages/<message_id>")
@operation(
    "cancelMessage",
    access=ITS_SENDER,
    answers={200: StateView},
    errors=("message_not_found", "not_waiting"),
)
def cancel(message_id: MessageId) -> Response:
    """Withdraw a message that no recipient holds yet."""
    broker().withdrawals.cancel(message_id, viewer())
    return answer(StateView(id=message_id, status=DeliveryState.CANCELLED.value))


@messages.get("/messages/<message_id>/receipts")
@operation(
    "getReceipts", access=VISIBLE, answers={200: ReceiptsView}, errors=("message_not_found",)
)
def receipts(message_id: MessageId) -> Response:
    """Show what has become of a message, recipient by recipient."""
    found = broker().archive.receipts(message_id, viewer())
    return answer(ReceiptsView(receipts=[receipt(one) for one in found]))


Keyed = TypeVar("Keyed", Draft, RecurringRequest)


def with_key(draft: Keyed, header: str | None) -> Keyed:
    """What is asked for, with the key of the `Idempotency-Key` header, which equals the field."""
    if header is None or header == draft.idempotency_key:
        return draft
    if draft.idempotency_key is not None:
        raise InvalidFieldsError(
            [FieldProblem(field="Idempotency-Key", message="differs from idempotency_key")]
        )
    return dataclasses.replace(draft, idempotency_key=header)
