"""The frames that a client sends (DESIGN section 4), read as strictly as any request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from app.errors import MalformedError
from app.json_document import decoded
from app.schemas.claims import ClaimShape, ReleaseShape, RenewShape
from app.schemas.deliveries import (
    AcknowledgementShape,
    ExtendShape,
    RejectShape,
    epoch_field,
)
from app.schemas.fields import Line, Whole, message_id_field
from app.schemas.kinds import Kind
from app.schemas.messages import SEND
from app.schemas.shape import Shape
from app.schemas.tickets import RespondShape, ticket_id_field
from app.websocket.window import DEFAULT_CREDIT, MAX_CREDIT
from broker.kernel.errors import FieldProblem, ForbiddenError, InvalidFieldsError
from broker.kernel.ids import AgentId, LeaseToken, MessageId
from broker.messaging.delivery import Acknowledgement
from broker.messaging.message import Draft
from broker.messaging.ticket import Response

Ref = str | int
"""What ties an answer to its question; the client's own."""

_MAX_REF: Final = 128
_MAX_REF_NUMBER: Final = 2**53 - 1
REF_SCHEMA: Final = {
    "description": "Ties the answer to its question.",
    "oneOf": [
        {"type": "string", "maxLength": _MAX_REF},
        {"type": "integer", "minimum": -_MAX_REF_NUMBER, "maximum": _MAX_REF_NUMBER},
        {"type": "null"},
    ],
}
"""What `ref_of` takes, as JSON Schema."""


@dataclass(frozen=True, kw_only=True)
class Hello:
    """Who is there, and how many unfinished messages it takes."""

    credit: int = DEFAULT_CREDIT
    instance_id: str | None = None
    epoch: int | None = None


@dataclass(frozen=True, kw_only=True)
class Nack:
    """A pushed message could not be handled."""

    id: MessageId
    lease_token: LeaseToken
    reason: str = ""
    delay_ms: int | None = None
    permanent: bool = False


@dataclass(frozen=True, kw_only=True)
class Extend:
    """A pushed message needs more time."""

    id: MessageId
    lease_token: LeaseToken
    lease_ms: int


@dataclass(frozen=True, kw_only=True)
class Claiming:
    """A message that is offered to several is to be the client's."""

    id: MessageId
    claim_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class Renew:
    """A claimed message needs more time."""

    id: MessageId
    lease_token: LeaseToken
    claim_ms: int


@dataclass(frozen=True, kw_only=True)
class Release:
    """A claimed message is for another after all."""

    id: MessageId
    lease_token: LeaseToken


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """A sign of life, and what the agent says of itself."""

    status: str | None = None


@dataclass(frozen=True, kw_only=True)
class Credit:
    """The client takes `more` unfinished messages than before."""

    more: int


Frame = (
    Hello
    | Acknowledgement
    | Nack
    | Extend
    | Claiming
    | Renew
    | Release
    | Draft
    | Response
    | Heartbeat
    | Credit
)


class _HelloShape(Shape[Hello]):
    credit = Whole(0, MAX_CREDIT)
    instance_id = Line()
    epoch = epoch_field()

    def build(self, values: dict[str, Any]) -> Hello:
        return Hello(**values)


class _NackShape(RejectShape):
    """What REST takes, but for the agent and its session: the connection knows them."""

    class Meta(RejectShape.Meta):
        exclude = ("agent_id", "epoch")

    id = message_id_field(required=True)

    def build(self, values: dict[str, Any]) -> Nack:  # type: ignore[override] # see above
        return Nack(**values)


class _ExtendShape(ExtendShape):
    """What REST takes, but for the agent and its session: the connection knows them."""

    class Meta(ExtendShape.Meta):
        exclude = ("agent_id", "epoch")

    id = message_id_field(required=True)

    def build(self, values: dict[str, Any]) -> Extend:  # type: ignore[override] # see above
        return Extend(**values)


class _ReplyShape(RespondShape):
    """What REST takes, but for the session: the connection knows it."""

    class Meta(RespondShape.Meta):
        exclude = ("epoch",)

    ticket_id = ticket_id_field(required=True, data_key="id")


class _ClaimShape(ClaimShape):
    """What REST takes, but for the agent and its session: the connection knows them."""

    class Meta(ClaimShape.Meta):
        exclude = ("agent_id", "epoch")

    id = message_id_field(required=True)

    def build(self, values: dict[str, Any]) -> Claiming:  # type: ignore[override] # see above
        return Claiming(**values)


class _RenewShape(RenewShape):
    """What REST takes, but for the agent and its session: the connection knows them."""

    class Meta(RenewShape.Meta):
        exclude = ("agent_id", "epoch")

    id = message_id_field(required=True)

    def build(self, values: dict[str, Any]) -> Renew:  # type: ignore[override] # see above
        return Renew(**values)


class _ReleaseShape(ReleaseShape):
    """What REST takes, but for the agent and its session: the connection knows them."""

    class Meta(ReleaseShape.Meta):
        exclude = ("agent_id", "epoch")

    id = message_id_field(required=True)

    def build(self, values: dict[str, Any]) -> Release:  # type: ignore[override] # see above
        return Release(**values)


class _HeartbeatShape(Shape[Heartbeat]):
    status = Line()

    def build(self, values: dict[str, Any]) -> Heartbeat:
        return Heartbeat(**values)


class _CreditShape(Shape[Credit]):
    more = Whole(1, MAX_CREDIT, required=True)

    def build(self, values: dict[str, Any]) -> Credit:
        return Credit(**values)


class _Message(Kind[Draft]):
    """The message of a `send`."""

    def __init__(self) -> None:
        super().__init__({"type": "object"}, required=True)

    def _deserialize(self, value: object, *_: object, **__: object) -> Draft:
        return SEND.build(SEND.load(value))


class _SendShape(Shape[Draft]):
    message = _Message()

    def build(self, values: dict[str, Any]) -> Draft:
        draft: Draft = values["message"]
        return draft


FRAMES: Final[dict[str, Shape[Any]]] = {
    "hello": _HelloShape(),
    "ack": AcknowledgementShape(),
    "nack": _NackShape(),
    "extend": _ExtendShape(),
    "claim": _ClaimShape(),
    "renew": _RenewShape(),
    "release": _ReleaseShape(),
    "send": _SendShape(),
    "reply": _ReplyShape(),
    "heartbeat": _HeartbeatShape(),
    "credit": _CreditShape(),
}


def parse(frame: str | bytes) -> dict[str, Any]:
    """The JSON object of a frame. Raises `MalformedError`."""
    if isinstance(frame, bytes):
        raise MalformedError("Frames are text: send JSON in a text frame, not in a binary one.")
    document = decoded(frame.encode())
    if not isinstance(document, dict):
        raise MalformedError("A frame is a JSON object with a type.")
    return document


def ref_of(document: dict[str, Any]) -> Ref | None:
    """Take the `ref` out of a frame. Raises `InvalidFieldsError`."""
    ref = document.pop("ref", None)
    if ref is None or (
        isinstance(ref, int) and not isinstance(ref, bool) and abs(ref) <= _MAX_REF_NUMBER
    ):
        return ref
    if isinstance(ref, str) and len(ref) <= _MAX_REF:
        return ref
    raise _invalid("ref", f"must be text of at most {_MAX_REF} characters, or a whole number")


def read(document: dict[str, Any], agent: AgentId) -> Frame:
    """What a frame of this agent says. Raises `InvalidFieldsError` naming all that is wrong.

    Raises `ForbiddenError` for a message that is said to be from another.
    """
    kind = document.pop("type", None)
    shape = FRAMES.get(kind) if isinstance(kind, str) else None
    if shape is None:
        raise _invalid("type", f"must be one of {', '.join(FRAMES)}")
    message = document.get("message")
    if isinstance(message, dict):
        message.setdefault("from", agent)
    if kind == "reply":
        document.setdefault("agent_id", agent)
    frame: Frame = shape.read(document)
    if isinstance(frame, Draft):
        _require(agent, frame.sender, "message.from")
    elif isinstance(frame, Response):
        _require(agent, frame.agent_id, "agent_id")
    return frame


def _require(agent: AgentId, said: AgentId, field: str) -> None:
    """Let nobody speak for another than the agent whose connection it is."""
    if said != agent:
        problem = f"must be {agent}, whose connection this is, or left out"
        raise ForbiddenError(
            f"This connection speaks for {agent} alone.",
            problems=[FieldProblem(field=field, message=problem)],
        )


def _invalid(field: str, problem: str) -> InvalidFieldsError:
    return InvalidFieldsError([FieldProblem(field=field, message=problem)])
