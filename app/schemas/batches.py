"""Many messages at once, and a result for each (SPEC M2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NotRequired, TypedDict

from marshmallow import ValidationError

from app.errors import Problem, problem
from app.schemas.kinds import Kind
from app.schemas.messages import SEND, accepted
from app.schemas.shape import Shape
from broker.kernel.errors import BrokerError, InvalidFieldsError
from broker.kernel.ids import AgentId
from broker.messaging.message import Draft
from broker.messaging.queue import Accepted
from broker.messaging.wire import Timestamp

MAX_BATCH: Final = 1000


class _Items(Kind[list[Any]]):
    """Messages that are judged one by one later, so that a bad one does not sink the rest."""

    def __init__(self) -> None:
        item = {"$ref": "#/components/schemas/SendShape"}
        super().__init__(
            {"type": "array", "items": item, "minItems": 1, "maxItems": MAX_BATCH}, required=True
        )

    def _deserialize(self, value: object, *_: object, **__: object) -> list[Any]:
        if not isinstance(value, list) or not 1 <= len(value) <= MAX_BATCH:
            raise ValidationError(f"must be a list of 1 to {MAX_BATCH} messages")
        return value


class BatchShape(Shape[list[object]]):
    """Messages to be sent, in this order."""

    messages = _Items()

    def build(self, values: dict[str, Any]) -> list[object]:
        """The messages as they came."""
        return list(values["messages"])


class BatchResultView(TypedDict):
    """A message of a batch: accepted as one that is sent alone, or rejected with the problem."""

    id: NotRequired[str]
    status: str
    created: NotRequired[bool]
    thread_id: NotRequired[str]
    accepted_at: NotRequired[Timestamp]
    problem: NotRequired[Problem]


class BatchView(TypedDict):
    """What became of each message of a batch, in order."""

    results: list[BatchResultView]


BATCH: Final = BatchShape()


def drafts_of(
    items: Sequence[object], refusal_as: Callable[[AgentId], BrokerError | None]
) -> list[Draft | BrokerError]:
    """A draft for each message of a batch, or what is wrong with it.

    `refusal_as` says why one may not be sent as from its sender, None if it may.
    """
    return [_draft_of(item, refusal_as) for item in items]


def as_results(
    drafts: Sequence[Draft | BrokerError], sent: Sequence[Accepted | BrokerError]
) -> BatchView:
    """A result for each message of a batch; `sent` are those of the drafts among them."""
    outcomes = iter(sent)
    return {
        "results": [
            _result(draft if isinstance(draft, BrokerError) else next(outcomes), index)
            for index, draft in enumerate(drafts)
        ]
    }


def _draft_of(
    item: object, refusal_as: Callable[[AgentId], BrokerError | None]
) -> Draft | BrokerError:
    try:
        draft = SEND.read(item)
    except InvalidFieldsError as error:
        return error
    return refusal_as(draft.sender) or draft


def _result(outcome: Accepted | BrokerError, index: int) -> BatchResultView:
    if isinstance(outcome, BrokerError):
        return {"status": "rejected", "problem": problem(outcome, under=f"messages.{index}")}
    return {**accepted(outcome)}  # type: ignore[typeddict-item] # no problem, where accepted
