"""When a recurring message is due: its schedule, and what to do with slots that have passed.

A slot is a moment in ms at which a schedule wants one message. All of it is pure: the same
schedule gives the same slots to everybody, whenever and wherever it is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice, takewhile
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter
from croniter.croniter import CroniterBadDateError, CroniterError

from broker.kernel.clock import MILLISECONDS, from_ms, to_ms
from broker.kernel.errors import FieldProblem, InvalidFieldsError

# Twice the 5 s in which any process comes back: a kill -9 makes no slot late, whatever the policy.
PROMPT_MS: Final = 10_000
CATCH_UP_MOST: Final = 100
_SCAN: Final = 10_000

_LONGEST_SECONDS: Final = 10 * 366 * 86_400
_LONGEST_TEXT: Final = 200
_SOONEST_MATCH_YEARS: Final = 10
_FORMS: Final = (
    "use 'interval:<seconds>', five cron fields such as '*/5 * * * *', "
    "or 'at:<RFC 3339 time with offset>'"
)
_SECONDS: Final = re.compile(r"[0-9]{1,10}(\.[0-9]{1,3})?")
_WORD: Final = re.compile(r"[a-z]+")
# croniter also knows R (random) and H (hashed), which would give each process other slots.
_CRON_WORDS: Final = re.compile(
    "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat|l"
)


class CatchUp(StrEnum):
    """What becomes of slots that passed while nobody was there to send (SPEC S1).

    `SKIP` counts them in the history; `CATCH_UP` sends the newest hundred of them, late. A slot
    is missed when it is more than ten seconds old: killed processes are back by then.
    """

    SKIP = "skip"
    CATCH_UP = "catch_up"


class Schedule(Protocol):
    """Gives slots in strictly rising order."""

    def after(self, moment_ms: int) -> int | None:
        """The first slot later than `moment_ms`; None if there is none."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Every so many milliseconds from a fixed beginning, so that lateness never adds up."""

    every_ms: int
    anchor_ms: int

    def after(self, moment_ms: int) -> int | None:
        """The first slot later than `moment_ms`; the anchor itself is none."""
        passed = max(0, (moment_ms - self.anchor_ms) // self.every_ms)
        return self.anchor_ms + (passed + 1) * self.every_ms


@dataclass(frozen=True, kw_only=True)
class Once:
    """One slot."""

    at_ms: int

    def after(self, moment_ms: int) -> int | None:
        """The slot, while it lies ahead."""
        return self.at_ms if self.at_ms > moment_ms else None


@dataclass(frozen=True, kw_only=True)
class Cron:
    """Five cron fields, read on the wall clock of a time zone.

    A time that a clock change leaves out comes at the end of the gap. A time that comes twice
    counts once, the first, unless the hour is free (`*`): hourly jobs go on through the change.
    """

    expression: str
    zone: ZoneInfo

    def after(self, moment_ms: int) -> int | None:
        """The first slot later than `moment_ms`; None if none comes within ten years."""
        moments = croniter(
            self.expression,
            from_ms(moment_ms).astimezone(self.zone),
            max_years_between_matches=_SOONEST_MATCH_YEARS,
        )
        every_hour = self.expression.split()[1].startswith("*")
        while True:
            try:
                moment = moments.get_next(datetime)
            except CroniterBadDateError:
                return None
            slot = to_ms(moment)
            if slot > moment_ms and (every_hour or not _comes_again(moment)):
                return slot


def _comes_again(moment: datetime) -> bool:
    """Whether the wall clock showed the same time once before, ahead of a change of the clocks."""
    return bool(moment.fold) and moment.utcoffset() != moment.replace(fold=0).utcoffset()


def parse_schedule(text: str, timezone: str, *, anchor_ms: int) -> Schedule:
    """The schedule that `text` describes; `anchor_ms` is when intervals begin.

    Raises `InvalidFieldsError` for `schedule` or `timezone`.
    """
    zone = _zone(timezone)
    if len(text) > _LONGEST_TEXT:
        raise _invalid("schedule", f"must be at most {_LONGEST_TEXT} characters long")
    form, colon, rest = text.strip().partition(":")
    if colon and form == "interval":
        return Interval(every_ms=_interval_ms(rest), anchor_ms=anchor_ms)
    if colon and form == "at":
        return Once(at_ms=_moment_ms(rest, latest=anchor_ms + _LONGEST_SECONDS * MILLISECONDS))
    return _cron(text, zone)


def _interval_ms(text: str) -> int:
    if not _SECONDS.fullmatch(text) or not 1 <= float(text) <= _LONGEST_SECONDS:
        raise _invalid(
            "schedule", "'interval:' takes seconds, at least 1 and at most ten years: interval:60"
        )
    return round(float(text) * MILLISECONDS)


def _moment_ms(text: str, *, latest: int) -> int:
    with suppress(ValueError, OverflowError):  # one sentence for all that is wrong with it
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None and to_ms(moment) <= latest:
            return to_ms(moment)
    raise _invalid(
        "schedule",
        "'at:' takes an RFC 3339 time with offset, at most ten years ahead: "
        "at:2027-01-31T09:00:00Z",
    )


def _cron(text: str, zone: ZoneInfo) -> Cron:
    words = _WORD.findall(text.lower())
    if len(text.split()) != 5 or not all(map(_CRON_WORDS.fullmatch, words)):  # noqa: PLR2004 - the five fields of cron(8)
        raise _invalid("schedule", f"is no schedule; {_FORMS}")
    try:
        croniter.expand(text)
    except CroniterError as error:
        raise _invalid("schedule", f"is no cron expression: {error}") from error
    return Cron(expression=text, zone=zone)


def _zone(name: str) -> ZoneInfo:
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = None
    if zone is None or name == "localtime":  # which is another zone on each machine
        raise _invalid("timezone", "is no IANA time zone; use a name such as Europe/Berlin or UTC")
    return zone


def _invalid(field: str, message: str) -> InvalidFieldsError:
    return InvalidFieldsError([FieldProblem(field=field, message=message)])


def upcoming(schedule: Schedule, *, after_ms: int, until_ms: int | None = None) -> Iterator[int]:
    """The slots later than `after_ms` and before `until_ms`, in order; without end for most."""
    slot = schedule.after(after_ms)
    while slot is not None and (until_ms is None or slot < until_ms):
        yield slot
        slot = schedule.after(slot)


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The next thing to do with slots that have come: send one, or pass over those missed.

    It covers the slots from `first` to `last`, both the same for one that is sent; `then` is the
    slot after them, None if the schedule ends. Neither `sends` nor any `missed`: the schedule no
    longer has the slot, because the rules of its time zone were changed.
    """

    first: int
    last: int
    sends: bool
    missed: int
    then: int | None


def next_turn(
    schedule: Schedule, *, next_at: int, now_ms: int, until_ms: int | None, catch_up: CatchUp
) -> Turn | None:
    """What to do at `now_ms` when the next slot is `next_at`; None while that is still ahead.

    `until_ms` is when the message expires: slots from then on do not exist. Many missed slots are
    passed over in portions, so that one call never takes long.
    """
    if next_at > now_ms:
        return None
    slots = upcoming(schedule, after_ms=next_at - 1, until_ms=until_ms)
    come = list(islice(takewhile(lambda slot: slot <= now_ms, slots), _SCAN))
    if catch_up is CatchUp.CATCH_UP:
        missed = come[:-CATCH_UP_MOST]
    else:
        missed = [slot for slot in come if slot < now_ms - PROMPT_MS]
    last = (missed or come[:1] or [next_at])[-1]
    return Turn(
        first=next_at,
        last=last,
        sends=bool(come) and not missed,
        missed=len(missed),
        then=next(upcoming(schedule, after_ms=last, until_ms=until_ms), None),
    )
