"""Tickets: asking, answering and what has been answered (SPEC M10)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, NotRequired, TypedDict, Unpack

from marshmallow import ValidationError

from app.schemas.deliveries import MAX_WAIT_SECONDS, epoch_field
from app.schemas.fields import (
    AnyJson,
    Duration,
    Identifier,
    Line,
    Priority,
    Text,
    agent_id_field,
    json_text,
    message_id_field,
)
from app.schemas.kinds import Kind, Options
from app.schemas.lists import page_limit
from app.schemas.messages import (
    AcceptedView,
    ContentsView,
    SendShape,
    accepted,
    contents,
    moment,
)
from app.schemas.shape import QueryShape, Shape
from broker.kernel.clock import rfc3339
from broker.kernel.ids import MESSAGE_ID_PATTERN, MessageId
from broker.messaging.message import Draft
from broker.messaging.queue import Accepted
from broker.messaging.ticket import OwedTicket, Reply, Response, Ticket
from broker.messaging.wire import JsonView, TargetsView, Timestamp, raw_json

_PAGE: Final = 100
_WAIT_SECONDS: Final = 30
_OWED_CURSOR: Final = r"^[0-9]{1,15}\.msg_[0-7][0-9A-HJKMNP-TV-Z]{25}$"


def ticket_id_field(**options: Unpack[Options]) -> Identifier:
    """The id of a ticket, which is that of its message."""
    return Identifier(MESSAGE_ID_PATTERN, "a ticket's id, msg_ and a ULID", **options)


# --- asking ---------------------------------------------------------------------------------


class AskShape(SendShape):
    """A message to the agent that the path names; it expects a reply unless it says otherwise."""

    class Meta(SendShape.Meta):
        """The path says to whom."""

        exclude = ("to",)

    def build(self, values: dict[str, Any]) -> Draft:
        """The draft that the broker takes, but for its recipient."""
        values.setdefault("expects_reply", True)
        return Draft(to=(), **values)


def _wait_field(description: str) -> Duration:
    return Duration(0, MAX_WAIT_SECONDS, data_key="wait_seconds", description=description)


class AskWaitShape(QueryShape[int]):
    """How long to wait for the reply, in ms."""

    wait_ms = _wait_field("Wait so long for a first reply, and answer with the ticket.")

    def build(self, values: dict[str, Any]) -> int:
        """The wait, 0 for none."""
        wait_ms: int = values.get("wait_ms", 0)
        return wait_ms


class WaitShape(QueryShape[int]):
    """How long to wait, in ms."""

    wait_ms = Duration(
        0,
        MAX_WAIT_SECONDS,
        data_key="timeout_seconds",
        description=f"Wait at most so long; {_WAIT_SECONDS} where nothing is said.",
    )

    def build(self, values: dict[str, Any]) -> int:
        """The wait."""
        wait_ms: int = values.get("wait_ms", _WAIT_SECONDS * 1000)
        return wait_ms


# --- answering ------------------------------------------------------------------------------


class _Answer(Kind[dict[str, Any]]):
    """What is answered: text becomes the body of the reply, any other JSON its payload."""

    _text: Final = Text()

    def __init__(self, description: str) -> None:
        text = {name: rule for name, rule in self._text.metadata.items() if name != "type"}
        kinds = ["string", "number", "boolean", "object", "array"]
        super().__init__({"type": kinds} | text, required=True, description=description)

    def _deserialize(self, value: object, *_: object, **__: object) -> dict[str, Any]:
        if isinstance(value, str):
            return {"body": self._text.deserialize(value)}
        return {"payload": json_text(value)}


class RespondShape(Shape[Response]):
    """A reply to a ticket."""

    ticket_id = ticket_id_field(required=True, description="The message that asked.")
    agent_id = agent_id_field(required=True, description="The recipient who answers.")
    response = _Answer("Text, or any other JSON but null.")
    subject = Line(500)
    meta = AnyJson(description="Any JSON about it, for senders and tools.")
    priority = Priority(description="That of the ticket where nothing is said.")
    idempotency_key = Line(256, description="Makes it safe to send the same again for a day.")
    ttl_ms = Duration(data_key="ttl_seconds", description="How long it may wait for the asker.")
    lease_token = Line(
        128, description="That of the ticket; the reply is refused once its lease has ended."
    )
    epoch = epoch_field()

    def build(self, values: dict[str, Any]) -> Response:
        """The reply that the broker takes."""
        return Response(**values.pop("response"), **values)


# --- looking --------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class RepliesPage:
    """A page of a ticket's replies."""

    limit: int
    after: MessageId | None


class RepliesPageShape(QueryShape[RepliesPage]):
    """Which page of a ticket's replies."""

    limit = page_limit()
    after = message_id_field(data_key="cursor", description="Go on behind this reply.")

    def build(self, values: dict[str, Any]) -> RepliesPage:
        """The page that is asked for."""
        return RepliesPage(limit=values.get("limit", _PAGE), after=values.get("after"))


@dataclass(frozen=True, kw_only=True)
class OwedPage:
    """A page of what an agent owes; `after` is where the page before ended."""

    limit: int
    after: tuple[int, MessageId]


class _OwedCursor(Kind[tuple[int, MessageId]]):
    """Where a page of owed tickets ended: a timeout in ms and a ticket."""

    _form: Final = re.compile(_OWED_CURSOR)

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__({"type": "string", "pattern": _OWED_CURSOR}, **options)

    def _deserialize(self, value: object, *_: object, **__: object) -> tuple[int, MessageId]:
        if not isinstance(value, str) or not self._form.fullmatch(value):
            raise ValidationError("must be the cursor of a page before")
        timeout_at, _dot, ticket = value.partition(".")
        return int(timeout_at), MessageId(ticket)


class OwedPageShape(QueryShape[OwedPage]):
    """Which page of what an agent owes."""

    limit = page_limit()
    after = _OwedCursor(data_key="cursor", description="Go on behind this page.")

    def build(self, values: dict[str, Any]) -> OwedPage:
        """The page that is asked for."""
        start = (0, MessageId(""))
        return OwedPage(limit=values.get("limit", _PAGE), after=values.get("after", start))


class ReplyView(TypedDict):
    """A reply. Once its retention has passed, who gave it is all that is left.

    `response` is the payload, or the body where there is none.
    """

    id: str
    agent_id: str
    responded_at: Timestamp
    response: JsonView | str
    message: ContentsView | None


class RepliesView(TypedDict):
    """A page of a ticket's replies; the cursor is null at the end."""

    ticket_id: str
    status: str
    late: bool
    responded_at: Timestamp | None
    timeout_at: Timestamp | None
    replies: list[ReplyView]
    reply_count: int
    cursor: str | None


TicketView = TypedDict(
    "TicketView",
    {
        "ticket_id": str,
        "from": str,
        "to": TargetsView,
        "status": str,
        "late": bool,
        "created_at": Timestamp,
        "delivered_at": Timestamp | None,
        "responded_at": Timestamp | None,
        "timeout_at": Timestamp | None,
        "thread_id": str,
        "correlation_id": str,
        "replies": list[ReplyView],
        "reply_count": int,
        "cursor": str | None,
    },
)
"""A ticket with its first replies; in this form, because `from` is a word of Python."""


class RespondedView(AcceptedView):
    """A reply that is on disk."""

    ticket_id: str


class AskedView(AcceptedView):
    """A question that is on disk; with the ticket as it stands, if the call waited for a reply.

    `ticket_id` is null where no reply is expected.
    """

    ticket_id: str | None
    ticket: NotRequired[TicketView]


class OwedTicketView(TypedDict):
    """A ticket that an agent has yet to answer."""

    ticket_id: str
    status: str
    delivered_at: Timestamp | None
    timeout_at: Timestamp | None
    message: ContentsView


class OwedTicketsView(TypedDict):
    """A page of what an agent owes, soonest timeout first; the cursor is null at the end."""

    tickets: list[OwedTicketView]
    cursor: str | None


def ticket_view(one: Ticket) -> TicketView:
    """A ticket; encode with `msgspec.json`."""
    message = one.message
    said = contents(message)
    return {
        "ticket_id": message.id,
        "from": message.sender,
        "to": said["to"],
        "status": one.state.value,
        "late": one.is_late,
        "created_at": rfc3339(message.created_at),
        "delivered_at": moment(one.delivered_at),
        "responded_at": moment(one.responded_at),
        "timeout_at": moment(message.timeout_at),
        "thread_id": message.thread,
        "correlation_id": message.correlation,
        "replies": [_reply(reply) for reply in one.replies],
        "reply_count": one.count,
        "cursor": one.cursor,
    }


def replies_view(one: Ticket) -> RepliesView:
    """The replies of a ticket; encode with `msgspec.json`."""
    return {
        "ticket_id": one.message.id,
        "status": one.state.value,
        "late": one.is_late,
        "responded_at": moment(one.responded_at),
        "timeout_at": moment(one.message.timeout_at),
        "replies": [_reply(reply) for reply in one.replies],
        "reply_count": one.count,
        "cursor": one.cursor,
    }


def responded(ticket: MessageId, result: Accepted) -> RespondedView:
    """The answer to who replied."""
    return {**accepted(result), "ticket_id": ticket}


def asked(draft: Draft, result: Accepted, ticket: Ticket | None) -> AskedView:
    """The answer to who asked, with the ticket if there was a wait."""
    view: AskedView = {
        **accepted(result),  # type: ignore[typeddict-item] # it has no ticket
        "ticket_id": result.id if draft.expects_reply else None,
    }
    if ticket is not None:
        view["ticket"] = ticket_view(ticket)
    return view


def owed_view(tickets: list[OwedTicket], cursor: tuple[int, MessageId] | None) -> OwedTicketsView:
    """A page of what an agent owes; encode with `msgspec.json`."""
    return {
        "tickets": [
            {
                "ticket_id": one.message.id,
                "status": one.state.value,
                "delivered_at": moment(one.delivered_at),
                "timeout_at": moment(one.message.timeout_at),
                "message": contents(one.message),
            }
            for one in tickets
        ],
        "cursor": None if cursor is None else f"{cursor[0]}.{cursor[1]}",
    }


def _reply(reply: Reply) -> ReplyView:
    message = reply.message
    response: JsonView | str = None
    if message is not None:
        response = message.body if message.payload is None else raw_json(message.payload)
    return {
        "id": reply.id,
        "agent_id": reply.agent_id,
        "responded_at": rfc3339(reply.at),
        "response": response,
        "message": None if message is None else contents(message),
    }


ASK: Final = AskShape()
ASK_WAIT: Final = AskWaitShape()
WAIT: Final = WaitShape()
RESPOND: Final = RespondShape()
REPLIES_PAGE: Final = RepliesPageShape()
OWED_PAGE: Final = OwedPageShape()
