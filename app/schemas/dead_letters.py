"""Dead letters: which ones are meant, and as they are shown (SPEC D1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NotRequired, TypedDict

from app.errors import Problem
from app.schemas.fields import Choice, Line, Text, agent_id_field, dead_letter_id_field
from app.schemas.lists import page_limit
from app.schemas.messages import ContentsView, contents, moment
from app.schemas.shape import QueryShape, Shape
from broker.kernel.clock import rfc3339
from broker.kernel.ids import DeadLetterId
from broker.messaging.dead_letters import DeadLetter, DeadLetterFilter, DeadLetterStatus
from broker.messaging.wire import Timestamp

_PAGE: Final = 100


@dataclass(frozen=True, kw_only=True)
class FindDeadLetters:
    """A page of the dead letters that are meant."""

    wanted: DeadLetterFilter
    limit: int
    before: DeadLetterId | None


class FindDeadLettersShape(QueryShape[FindDeadLetters]):
    """Which dead letters to list, newest first."""

    channel = Line()
    agent_id = agent_id_field(data_key="agent", description="The recipient.")
    sender = agent_id_field(data_key="from")
    reason = Line()
    status = Choice(DeadLetterStatus)
    limit = page_limit()
    before = dead_letter_id_field(data_key="cursor", description="Go on behind this one.")

    def build(self, values: dict[str, Any]) -> FindDeadLetters:
        """The page that is asked for."""
        count, before = values.pop("limit", _PAGE), values.pop("before", None)
        return FindDeadLetters(wanted=DeadLetterFilter(**values), limit=count, before=before)


@dataclass(frozen=True, kw_only=True)
class Matching:
    """The open dead letters that a bulk call is about."""

    wanted: DeadLetterFilter
    limit: int
    resolution: str = ""


class RetryMatchingShape(Shape[Matching]):
    """Which open dead letters to retry, newest first; all where nothing is said."""

    channel = Line()
    agent_id = agent_id_field(data_key="agent", description="The recipient.")
    sender = agent_id_field(data_key="from")
    reason = Line()
    limit = page_limit()

    def build(self, values: dict[str, Any]) -> Matching:
        """The dead letters that are meant."""
        own = {name: values.pop(name) for name in ("resolution",) if name in values}
        count = values.pop("limit", _PAGE)
        return Matching(wanted=DeadLetterFilter(**values), limit=count, **own)


class ResolveMatchingShape(RetryMatchingShape):
    """Which open dead letters to resolve, and how."""

    resolution = Text(4000, required=True, description="What was done about them.")


class ResolveShape(Shape[str]):
    """How a dead letter was resolved."""

    resolution = Text(4000, required=True, description="What was done about it.")

    def build(self, values: dict[str, Any]) -> str:
        """What was done."""
        return str(values["resolution"])


class RetryShape(Shape[dict[str, Any]]):
    """Nothing needs to be said to retry one."""


class AttemptView(TypedDict):
    """How one attempt ended."""

    number: int
    ended_at: Timestamp
    outcome: str
    reason: str


class DeadLetterView(TypedDict):
    """A delivery that died; its message is null where it is no longer stored."""

    id: str
    message_id: str
    agent_id: str
    reason: str
    last_error: str
    attempts: int
    failed_at: Timestamp
    status: str
    retry_count: int
    next_retry_at: Timestamp | None
    resolution: str | None
    closed_at: Timestamp | None
    history: list[AttemptView]
    message: ContentsView | None


class DeadLettersView(TypedDict):
    """A page of dead letters; the cursor is null at the end."""

    dead_letters: list[DeadLetterView]
    cursor: str | None


class ClosedView(TypedDict):
    """A dead letter that was dealt with."""

    id: str
    status: str
    message_id: NotRequired[str]


class ClosedResultView(TypedDict):
    """A dead letter that was dealt with, or could not be because of the problem."""

    id: str
    status: NotRequired[str]
    problem: NotRequired[Problem]


class ClosedManyView(TypedDict):
    """What became of each dead letter that matched."""

    results: list[ClosedResultView]


def dead_letter_view(letter: DeadLetter) -> DeadLetterView:
    """A dead letter as operators see it; encode with `msgspec.json`."""
    return {
        "id": letter.id,
        "message_id": letter.message_id,
        "agent_id": letter.agent_id,
        "reason": letter.reason,
        "last_error": letter.last_error,
        "attempts": letter.attempts,
        "failed_at": rfc3339(letter.failed_at),
        "status": letter.status.value,
        "retry_count": letter.retry_count,
        "next_retry_at": moment(letter.next_retry_at),
        "resolution": letter.resolution,
        "closed_at": moment(letter.closed_at),
        "history": [
            {
                "number": attempt.number,
                "ended_at": rfc3339(attempt.ended_at),
                "outcome": attempt.outcome,
                "reason": attempt.reason,
            }
            for attempt in letter.history
        ],
        "message": None if letter.message is None else contents(letter.message),
    }


FIND_DEAD_LETTERS: Final = FindDeadLettersShape()
RETRY: Final = RetryShape()
RETRY_MATCHING: Final = RetryMatchingShape()
RESOLVE_MATCHING: Final = ResolveMatchingShape()
RESOLVE: Final = ResolveShape()
