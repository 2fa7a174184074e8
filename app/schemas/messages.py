"""A message: as a sender hands it in, and as senders and recipients are shown it (DESIGN 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypedDict

from app.schemas.fields import (
    AnyJson,
    Choice,
    Duration,
    Flag,
    Line,
    Moment,
    Priority,
    Text,
    Whole,
    agent_id_field,
    message_id_field,
)
from app.schemas.shape import HeaderShape, Shape
from app.schemas.targets import Targets
from broker.kernel.clock import rfc3339
from broker.kernel.errors import FieldProblem
from broker.messaging.delivery import Receipt
from broker.messaging.message import BROADCAST, Draft, Message, Strategy
from broker.messaging.queue import Accepted
from broker.messaging.receipts import Listed
from broker.messaging.wire import SaidView, Timestamp, said


class SendShape(Shape[Draft]):
    """A message to be sent (SPEC M1); the same in REST, batches, WebSocket and schedules."""

    sender = agent_id_field(required=True, data_key="from", description="Who sends it.")
    to = Targets(
        required=True, description="Whom it is for: agents, groups of them, or a selector."
    )
    body = Text(description="What it says; a body, a payload or both are needed.")
    payload = AnyJson(description="Any JSON that goes with it.")
    kind = Line(description="What sort of message it is; chat where nothing is said.")
    subject = Line(500)
    meta = AnyJson(description="Any JSON about it, for senders and tools.")
    priority = Priority(description="urgent, high, normal (the default), low, or 0 to 9.")
    channel = Line()
    thread_id = Line(description="The conversation; else that of reply_to, else a new one.")
    reply_to = message_id_field(description="The message that this one answers.")
    correlation_id = Line(256)
    idempotency_key = Line(256, description="Makes it safe to send the same again for a day.")
    ttl_ms = Duration(data_key="ttl_seconds", description="How long it may wait.")
    delay_ms = Duration(0, data_key="delay_seconds", description="Deliver it this much later.")
    deliver_at = Moment(description="Deliver it then; not together with delay_seconds.")
    expects_reply = Flag()
    timeout_ms = Duration(data_key="timeout_seconds", description="How long a reply may take.")
    claimable = Flag(description="All are offered it, and the first to claim it has it.")
    strategy = Choice(
        Strategy, description="How one of several is picked; all where nothing is said."
    )
    max_attempts = Whole(1, 100, description="Deliveries before it is a dead letter.")
    supersedes = message_id_field(description="An undelivered message that this one replaces.")
    hold_for_unknown = Flag(description="Keep it for recipients that have yet to register.")
    epoch = Whole(1, 2**53 - 1, description="The sender's session, if it has one.")

    def rules(self, data: Mapping[str, Any]) -> Iterable[FieldProblem]:
        """A message says something, and has one time of delivery."""
        if data.get("body") is None and data.get("payload") is None:
            yield FieldProblem(field="body", message="is required, unless there is a payload")
        if data.get("delay_seconds") is not None and data.get("deliver_at") is not None:
            yield FieldProblem(field="deliver_at", message="excludes delay_seconds")

    def build(self, values: dict[str, Any]) -> Draft:
        """The draft that the broker takes."""
        return Draft(**values)


class BroadcastShape(SendShape):
    """A message to everyone, unless it names its targets (SPEC M14)."""

    to = Targets(description="Everyone where nothing is said.")

    def build(self, values: dict[str, Any]) -> Draft:
        """The draft that the broker takes."""
        return Draft(**{"to": (BROADCAST,)} | values)


class IdempotencyHeader(HeaderShape[str | None]):
    """The header that stands for the field `idempotency_key` (SPEC M4)."""

    key = Line(256, data_key="Idempotency-Key", description="The same as idempotency_key.")

    def build(self, values: dict[str, Any]) -> str | None:
        """The key, if there is one."""
        return values.get("key")


SEND: Final = SendShape()
BROADCAST_SEND: Final = BroadcastShape()
IDEMPOTENCY_HEADER: Final = IdempotencyHeader()


class AcceptedView(TypedDict):
    """What a sender gets whose message is on disk."""

    id: str
    status: str
    created: bool
    thread_id: str
    accepted_at: Timestamp


class ContentsView(SaidView):
    """A message as its sender and operators see it."""

    id: str
    thread_id: str
    reply_to: str | None
    correlation_id: str | None
    supersedes: str | None
    expects_reply: bool
    claimable: bool
    created_at: Timestamp
    expires_at: Timestamp
    deliver_at: Timestamp | None


class MessageView(ContentsView):
    """A message with where it stands as a whole."""

    status: str


class ReceiptView(TypedDict):
    """What has become of a message for one recipient."""

    agent_id: str
    status: str
    attempts: int
    routed_at: Timestamp | None
    delivered_at: Timestamp | None
    read_at: Timestamp | None
    finished_at: Timestamp | None


def accepted(result: Accepted) -> AcceptedView:
    """The answer to a sender whose message is on disk."""
    return {
        "id": result.id,
        "status": "accepted",
        "created": result.created,
        "thread_id": result.thread_id,
        "accepted_at": rfc3339(result.accepted_at),
    }


def listed(one: Listed) -> MessageView:
    """A message as its sender and operators see it; encode with `msgspec.json`."""
    return {**contents(one.message), "status": one.state.value}


def contents(message: Message) -> ContentsView:
    """What a message says, to whom and until when; encode with `msgspec.json`."""
    return {
        "id": message.id,
        **said(message),
        "thread_id": message.thread,
        "reply_to": message.reply_to,
        "correlation_id": message.correlation_id,
        "supersedes": message.supersedes,
        "expects_reply": message.expects_reply,
        "claimable": message.claimable,
        "created_at": rfc3339(message.created_at),
        "expires_at": rfc3339(message.expires_at),
        "deliver_at": moment(message.deliver_at),
    }


def receipt(one: Receipt) -> ReceiptView:
    """What has become of a message for one recipient (SPEC M11)."""
    return {
        "agent_id": one.agent_id,
        "status": one.state.value,
        "attempts": one.attempts,
        "routed_at": moment(one.routed_at),
        "delivered_at": moment(one.delivered_at),
        "read_at": moment(one.read_at),
        "finished_at": moment(one.finished_at),
    }


def moment(milliseconds: int | None) -> str | None:
    """A time for people and programs, null for not yet."""
    return None if milliseconds is None else rfc3339(milliseconds)
