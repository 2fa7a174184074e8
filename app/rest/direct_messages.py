"""Direct messages between two agents (SPEC R4)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from app.access import AS_PATH_AGENT_OR_OPERATOR, AS_SENDER, viewer
from app.context import broker
from app.json_document import answer
from app.rest.messages import SEND_ERRORS, with_key
from app.rest.operation import operation
from app.schemas.direct_messages import (
    DIRECT,
    FIND_DIRECT,
    DirectConversationsView,
    DirectHistoryView,
    FindDirect,
    conversations_view,
    direct_message_view,
)
from app.schemas.lists import BACK, Back
from app.schemas.messages import IDEMPOTENCY_HEADER, AcceptedView, accepted
from broker.kernel.ids import AgentId
from broker.messaging.message import Draft

direct_messages = APIBlueprint("direct_messages", __name__)


@direct_messages.post("/dms")
@operation(
    "sendDirectMessage",
    access=AS_SENDER,
    body=DIRECT,
    headers=IDEMPOTENCY_HEADER,
    example={"from": "alice", "to": "bob", "body": "do you have a minute?"},
    answers={202: AcceptedView, 200: AcceptedView},
    errors=SEND_ERRORS,
)
def send(body: Draft, headers: str | None) -> Response:
    """Send a direct message: any message to one agent, in the conversation of the two."""
    result = broker().queue.send(with_key(body, headers), viewer())
    return answer(accepted(result), 202 if result.created else 200)


@direct_messages.get("/agents/<agent_id>/dms")
@operation(
    "findDirectConversations",
    access=AS_PATH_AGENT_OR_OPERATOR,
    query=FIND_DIRECT,
    answers={200: DirectConversationsView},
)
def find(agent_id: AgentId, query: FindDirect) -> Response:
    """List an agent's direct conversations, the last used first, with what is unread of each."""
    found, last = broker().conversations.of(agent_id, limit=query.limit, before=query.before)
    return answer(conversations_view(found, last))


@direct_messages.get("/agents/<agent_id>/dms/<other_id>")
@operation(
    "getDirectHistory",
    access=AS_PATH_AGENT_OR_OPERATOR,
    query=BACK,
    answers={200: DirectHistoryView},
)
def history(agent_id: AgentId, other_id: AgentId, query: Back) -> Response:
    """Show what two agents said to each other: the newest messages, in order.

    The cursor leads to the page before. Reading here marks nothing as read.
    """
    found, cursor = broker().conversations.direct_history(
        agent_id, other_id, limit=query.limit, before=query.before
    )
    return answer(
        DirectHistoryView(messages=[direct_message_view(one) for one in found], cursor=cursor)
    )
