"""What a recipient sends about its inbox and the deliveries in it, and what it is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NotRequired, TypedDict

from marshmallow import ValidationError

from app.errors import Problem
from app.schemas.fields import (
    Duration,
    Flag,
    Line,
    Lines,
    Priority,
    Text,
    Whole,
    agent_id_field,
    each,
    message_id_field,
)
from app.schemas.kinds import Kind
from app.schemas.shape import QueryShape, Shape
from broker.kernel.ids import AgentId, LeaseToken
from broker.messaging.delivery import Acknowledgement, Wanted
from broker.messaging.wire import DeliveredView, LeaseView, Timestamp

MAX_WAIT_SECONDS: Final = 60
_MAX_AT_ONCE: Final = 1000
_MAX_EPOCH: Final = 2**53 - 1


def epoch_field() -> Whole:
    """The session that the caller acts in."""
    return Whole(1, _MAX_EPOCH, description="The caller's session, if it has one.")


def token_field(*, data_key: str | None = None) -> Line:
    """The token of a lease."""
    return Line(
        128, description="The token that came with the message.", required=True, data_key=data_key
    )


@dataclass(frozen=True, kw_only=True)
class Fetch:
    """What an agent asks its inbox for; `wait_ms` is how long it would wait for a first message."""

    wanted: Wanted
    wait_ms: int = 0
    lease_ms: int | None = None
    peek: bool = False
    epoch: int | None = None


class FetchShape(QueryShape[Fetch]):
    """The parameters of an inbox (SPEC M5)."""

    limit = Whole(1, _MAX_AT_ONCE, description="At most so many; 10 where nothing is said.")
    wait_ms = Duration(
        0, MAX_WAIT_SECONDS, data_key="wait_seconds", description="Wait for a first message."
    )
    lease_ms = Duration(data_key="lease_seconds", description="How long they are held for you.")
    kinds = Lines(count=20, description="Only messages of these kinds, with commas between.")
    min_priority = Priority(description="Only messages of this priority or a higher one.")
    peek = Flag(description="Show them, without leasing or waiting.")
    epoch = epoch_field()

    def build(self, values: dict[str, Any]) -> Fetch:
        """What is asked for."""
        chosen = {name: values.pop(name) for name in ("limit", "min_priority") if name in values}
        wanted = Wanted(kinds=frozenset(values.pop("kinds", ())), **chosen)
        return Fetch(wanted=wanted, **values)


@dataclass(frozen=True, kw_only=True)
class Read:
    """A recipient speaks about a message that it got."""

    agent_id: AgentId
    epoch: int | None = None


@dataclass(frozen=True, kw_only=True)
class Done(Read):
    """A recipient is done with a message that it holds."""

    lease_token: LeaseToken


@dataclass(frozen=True, kw_only=True)
class Rejection(Done):
    """A recipient could not deal with a message that it holds."""

    reason: str = ""
    delay_ms: int | None = None
    permanent: bool = False


@dataclass(frozen=True, kw_only=True)
class Extension(Done):
    """A recipient needs more time for a message that it holds."""

    lease_ms: int


class ReadShape(Shape[Read]):
    """A message was read."""

    agent_id = agent_id_field(required=True, description="The recipient.")
    epoch = epoch_field()

    def build(self, values: dict[str, Any]) -> Read:
        """The delivery that is meant."""
        return Read(**values)


class AcknowledgeShape(Shape[Done]):
    """A message is done with."""

    agent_id = agent_id_field(required=True, description="The recipient.")
    lease_token = token_field()
    epoch = epoch_field()

    def build(self, values: dict[str, Any]) -> Done:
        """The lease that is meant."""
        return Done(**values)


class RejectShape(Shape[Rejection]):
    """A message could not be dealt with."""

    agent_id = agent_id_field(required=True, description="The recipient.")
    lease_token = token_field()
    reason = Text(4000, description="Why; it is kept in the history.")
    delay_ms = Duration(0, data_key="delay_seconds", description="Try again after this time.")
    permanent = Flag(description="Don't try again, whatever the delay: make it a dead letter.")
    epoch = epoch_field()

    def build(self, values: dict[str, Any]) -> Rejection:
        """The lease that is meant."""
        return Rejection(**values)


class ExtendShape(Shape[Extension]):
    """A message needs more time."""

    agent_id = agent_id_field(required=True, description="The recipient.")
    lease_token = token_field()
    lease_ms = Duration(
        required=True, data_key="seconds", description="The lease ends so long from now."
    )
    epoch = epoch_field()

    def build(self, values: dict[str, Any]) -> Extension:
        """The lease that is meant."""
        return Extension(**values)


class AcknowledgementShape(Shape[Acknowledgement]):
    """One of many messages is done with."""

    message_id = message_id_field(required=True, data_key="id")
    token = token_field(data_key="lease_token")

    def build(self, values: dict[str, Any]) -> Acknowledgement:
        """The lease that is done with."""
        return Acknowledgement(**values)


class _Leases(Kind[tuple[Acknowledgement, ...]]):
    """A list of leases, each by its message and its token."""

    _shape: Final = AcknowledgementShape()

    def __init__(self) -> None:
        item = {
            "type": "object",
            "additionalProperties": False,
            "required": ["id", "lease_token"],
            "properties": {
                field.data_key: dict(field.metadata) for field in self._shape.fields.values()
            },
        }
        super().__init__(
            {"type": "array", "items": item, "minItems": 1, "maxItems": _MAX_AT_ONCE},
            required=True,
        )

    def _deserialize(self, value: object, *_: object, **__: object) -> tuple[Acknowledgement, ...]:
        if not isinstance(value, list) or not 1 <= len(value) <= _MAX_AT_ONCE:
            raise ValidationError(f"must be a list of 1 to {_MAX_AT_ONCE} leases")
        return each(value, lambda item: self._shape.build(self._shape.load(item)))


@dataclass(frozen=True, kw_only=True)
class AcknowledgeMany:
    """Leases of one agent that are done with."""

    acks: tuple[Acknowledgement, ...]
    epoch: int | None = None


class AcknowledgeManyShape(Shape[AcknowledgeMany]):
    """Many messages are done with."""

    acks = _Leases()
    epoch = epoch_field()

    def build(self, values: dict[str, Any]) -> AcknowledgeMany:
        """The leases that are meant."""
        return AcknowledgeMany(**values)


@dataclass(frozen=True, kw_only=True)
class ReleaseMany:
    """Leases of one agent under which no work was begun."""

    leases: tuple[Acknowledgement, ...]


class ReleaseManyShape(Shape[ReleaseMany]):
    """Many messages are to come again, untouched."""

    leases = _Leases()

    def build(self, values: dict[str, Any]) -> ReleaseMany:
        """The leases that are meant."""
        return ReleaseMany(**values)


class InboxView(TypedDict):
    """The messages that an inbox gave."""

    messages: list[DeliveredView]


class StateView(TypedDict):
    """Where a message stands after a call."""

    id: str
    status: str


class AcknowledgementView(TypedDict):
    """An acknowledgement that was taken, or refused with the problem."""

    id: str
    status: NotRequired[str]
    problem: NotRequired[Problem]


class AcknowledgedView(TypedDict):
    """What became of each acknowledgement, in order."""

    results: list[AcknowledgementView]


class ReturnedView(TypedDict):
    """How many leases were given back; those that were over are left as they are."""

    returned: int


class RejectedView(TypedDict):
    """Where a message stands that was given back."""

    id: str
    status: str
    next_attempt_at: Timestamp | None


class ExtendedView(TypedDict):
    """A lease that was prolonged."""

    id: str
    lease: LeaseView


class ReadView(TypedDict):
    """When a message was first read."""

    id: str
    read_at: Timestamp


FETCH: Final = FetchShape()
ACKNOWLEDGE: Final = AcknowledgeShape()
REJECT: Final = RejectShape()
EXTEND: Final = ExtendShape()
READ: Final = ReadShape()
ACKNOWLEDGE_MANY: Final = AcknowledgeManyShape()
RELEASE_MANY: Final = ReleaseManyShape()
