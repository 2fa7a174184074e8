"""Tickets: asking, answering, waiting for the answer (SPEC M10)."""

from __future__ import annotations

import dataclasses

from apiflask import APIBlueprint
from flask import Response as Answer

from app.access import AS_BODY_AGENT, AS_PATH_AGENT, AS_SENDER, VISIBLE, viewer
from app.context import broker, context
from app.identity import proof
from app.json_document import answer
from app.rest.messages import SEND_ERRORS, with_key
from app.rest.operation import operation
from app.schemas.messages import IDEMPOTENCY_HEADER
from app.schemas.tickets import (
    ASK,
    ASK_WAIT,
    OWED_PAGE,
    REPLIES_PAGE,
    RESPOND,
    WAIT,
    AskedView,
    OwedPage,
    OwedTicketsView,
    RepliesPage,
    RepliesView,
    RespondedView,
    TicketView,
    asked,
    owed_view,
    replies_view,
    responded,
    ticket_view,
)
from broker.kernel.clock import MILLISECONDS
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.message import Draft
from broker.messaging.ticket import Response, Ticket

tickets = APIBlueprint("tickets", __name__)


@tickets.post("/agents/<agent_id>/send")
@operation(
    "askAgent",
    access=AS_SENDER,
    body=ASK,
    query=ASK_WAIT,
    headers=IDEMPOTENCY_HEADER,
    example={"from": "alice", "body": "is PR 12 ready?", "timeout_seconds": 600},
    answers={202: AskedView, 200: AskedView},
    errors=SEND_ERRORS,
)
def ask(agent_id: AgentId, body: Draft, query: int, headers: str | None) -> Answer:
    """Send a message to an agent and expect a reply: the message is a ticket.

    With `wait_seconds` the answer comes with the first reply, or at the end of the wait.
    """
    draft = dataclasses.replace(with_key(body, headers), to=(agent_id,))
    result = broker().queue.send(draft, viewer())
    ticket = _awaited(result.id, query) if query and draft.expects_reply else None
    return answer(asked(draft, result, ticket), 202 if result.created else 200)


@tickets.post("/replies")
@operation(
    "replyToTicket",
    access=AS_BODY_AGENT,
    body=RESPOND,
    example={
        "ticket_id": "msg_01K6ZQ3V9M8T4R2E7YXWBNDC05",
        "agent_id": "bob",
        "response": "yes, merge it",
    },
    answers={202: RespondedView, 200: RespondedView},
    errors=(
        "ticket_not_found",
        "unknown_agent",
        "stale_lease",
        "not_claimed",
        "stale_epoch",
        "idempotency_conflict",
        "message_too_large",
        "inbox_full",
    ),
)
def reply(body: Response) -> Answer:
    """Answer a ticket, and be done with it: its copy in the inbox is finished in the same step.

    202: the reply is on disk and on its way to who asked. 200: a repeat of an idempotency key or a
    lease token; the first reply's answer, nothing new was stored.
    """
    result = broker().tickets.reply(body)
    return answer(responded(body.ticket_id, result), 202 if result.created else 200)


@tickets.get("/tickets/<ticket_id>")
@operation("getTicket", access=VISIBLE, answers={200: TicketView}, errors=("ticket_not_found",))
def get(ticket_id: MessageId) -> Answer:
    """Show a ticket: pending, delivered, responded or timeout, with its first replies."""
    return answer(ticket_view(broker().tickets.get(ticket_id, viewer())))


@tickets.get("/replies/<ticket_id>")
@operation(
    "getReplies",
    access=VISIBLE,
    query=REPLIES_PAGE,
    answers={200: RepliesView},
    errors=("ticket_not_found",),
)
def get_replies(ticket_id: MessageId, query: RepliesPage) -> Answer:
    """List the replies of a ticket, first come first; none yet is an empty list."""
    found = broker().tickets.get(ticket_id, viewer(), limit=query.limit, after=query.after)
    return answer(replies_view(found))


@tickets.get("/replies/<ticket_id>/wait")
@operation(
    "awaitReply",
    access=VISIBLE,
    query=WAIT,
    answers={200: RepliesView},
    errors=("ticket_not_found",),
)
def wait(ticket_id: MessageId, query: int) -> Answer:
    """Wait for the first reply of a ticket, at most until its own time is over."""
    return answer(replies_view(_awaited(ticket_id, query)))


@tickets.get("/agents/<agent_id>/tickets/pending")
@operation(
    "findPendingTickets",
    access=AS_PATH_AGENT,
    query=OWED_PAGE,
    answers={200: OwedTicketsView},
    errors=("unknown_agent",),
)
def find_pending(agent_id: AgentId, query: OwedPage) -> Answer:
    """List the tickets that an agent has yet to answer, the soonest to time out first.

    Nothing is leased: what is in the inbox stays there.
    """
    found, cursor = broker().tickets.owed_by(agent_id, limit=query.limit, after=query.after)
    return answer(owed_view(found, cursor))


def _awaited(ticket_id: MessageId, wait_ms: int) -> Ticket:
    return broker().tickets.wait(
        ticket_id,
        viewer(),
        wait_seconds=wait_ms / MILLISECONDS,
        stop=context().stopping,
        check=proof(),
    )
