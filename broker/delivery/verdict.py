"""What an endpoint's answer means for the message that was posted: a pure table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Final

_S = HTTPStatus
_LONGEST_PAUSE_MS: Final = 3_600_000


@dataclass(frozen=True, kw_only=True)
class Answered:
    """An endpoint's answer: its status, when it wants to be asked again, how its text begins."""

    status: int
    retry_after_ms: int | None = None
    excerpt: str = ""


@dataclass(frozen=True, kw_only=True)
class Unreached:
    """No answer, and why; `is_refused` if it was the station that would not connect."""

    reason: str
    is_refused: bool = False


Answer = Answered | Unreached


class Outcome(StrEnum):
    """What becomes of the message."""

    DELIVERED = "delivered"
    FAILED = "failed"  # it is tried again later
    REFUSED = "refused"  # it is never tried again: the station may not connect there
    PAUSED = "paused"  # the endpoint asked for a pause; no attempt is counted
    GONE = "gone"  # the endpoint wants no more messages, ever


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What becomes of a message, and why; `pause_ms` is what the endpoint asked for."""

    outcome: Outcome
    reason: str = ""
    pause_ms: int = 0


def judge(answer: Answer) -> Verdict:
    """The verdict on an answer."""
    if isinstance(answer, Unreached):
        outcome = Outcome.REFUSED if answer.is_refused else Outcome.FAILED
        return Verdict(outcome=outcome, reason=answer.reason)
    said = _said(answer)
    if _S.OK <= answer.status < _S.MULTIPLE_CHOICES:
        return Verdict(outcome=Outcome.DELIVERED, reason=said)
    if answer.status == _S.GONE:
        return Verdict(outcome=Outcome.GONE, reason=said)
    throttles = answer.status in {_S.TOO_MANY_REQUESTS, _S.SERVICE_UNAVAILABLE}
    if throttles and answer.retry_after_ms is not None:
        pause = min(answer.retry_after_ms, _LONGEST_PAUSE_MS)
        return Verdict(outcome=Outcome.PAUSED, reason=said, pause_ms=pause)
    if _S.MULTIPLE_CHOICES <= answer.status < _S.BAD_REQUEST:
        return Verdict(outcome=Outcome.FAILED, reason=f"{said} (redirects are not followed)")
    return Verdict(outcome=Outcome.FAILED, reason=said)


def _said(answer: Answered) -> str:
    try:
        name = f"{answer.status} {HTTPStatus(answer.status).phrase}"
    except ValueError:
        name = str(answer.status)
    return f"{name}: {answer.excerpt}" if answer.excerpt else name
