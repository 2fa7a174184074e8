"""Sending many messages, one a line of JSON (SPEC M2)."""

from __future__ import annotations

import itertools
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import msgspec

from waystation.answers import Accepted, Problem
from waystation.cli.context import Invocation
from waystation.cli.failures import Failure, StationFailure
from waystation.errors import ProblemError, WaystationError

_TOGETHER: Final = 500
"""Lines that are read before their messages are sent."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the input: a message, or what is wrong with it."""

    number: int
    size: int
    message: Mapping[str, Any] | None = None
    mistake: str | None = None


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a line, as `--json` tells it."""

    line: int
    id: str | None = None
    created: bool | None = None
    problem: Problem | None = None
    mistake: str | None = None


def lines_of(stream: Iterable[bytes], defaults: Mapping[str, Any]) -> Iterator[Line]:
    """The messages of the lines, with what holds for all of them; empty lines are left out.

    A key that is given for all has the line's number added, so that the same input can be sent
    again, and nothing of it twice.
    """
    key = defaults.get("idempotency_key")
    for number, raw in enumerate(stream, start=1):
        if not raw.strip():
            continue
        try:
            said = msgspec.json.decode(raw)
        except msgspec.DecodeError as error:
            yield Line(number=number, size=len(raw), mistake=f"not JSON: {error}")
            continue
        if not isinstance(said, dict):
            yield Line(number=number, size=len(raw), mistake="not an object with `to` and `body`")
            continue
        message = {**defaults, **({"idempotency_key": f"{key}-{number}"} if key else {}), **said}
        missing = None if message.get("to") else "it says no `to`, and no TO was given"
        yield Line(number=number, size=len(raw), message=message, mistake=missing)


def send_lines(invocation: Invocation, stream: BinaryIO, defaults: Mapping[str, Any]) -> None:
    """Send all of them, and tell of each.

    Raises:
        Failure: some could not be sent; the others were.
    """
    lines = lines_of(stream, defaults)
    sent = failed = 0
    with invocation.output.bar("sending", total=_size_of(stream)) as advance:
        while some := list(itertools.islice(lines, _TOGETHER)):
            try:
                told = list(_send(invocation, some))
            except WaystationError as error:
                so_far = f"Lines before {some[0].number} are sent: {sent}, but {failed} refused."
                raise StationFailure(error, next_step=so_far) from error
            for one in told:
                _tell(invocation, one)
            sent += sum(one.id is not None for one in told)
            failed += sum(one.id is None for one in told)
            advance(sum(line.size for line in some), f"{sent} sent")
    if invocation.output.for_people:
        invocation.output.note(f"{sent} sent.")
    if failed:
        raise Failure(f"{failed} of {sent + failed} could not be sent.", code="some_not_sent")


def _send(invocation: Invocation, lines: Sequence[Line]) -> Iterator[Told]:
    right = [line.message for line in lines if line.message is not None and not line.mistake]
    outcomes = iter(invocation.agent.send_many(right))
    for line in lines:
        outcome = None if line.mistake else next(outcomes)
        if isinstance(outcome, Accepted):
            yield Told(line.number, id=outcome.id, created=outcome.created)
        elif isinstance(outcome, ProblemError):
            yield Told(line.number, problem=outcome.problem)
        else:
            yield Told(line.number, mistake=line.mistake)


def _tell(invocation: Invocation, told: Told) -> None:
    output = invocation.output
    if output.as_json:
        output.line(told)
    elif told.problem is not None:
        fields = "; ".join(f"{one.field}: {one.message}" for one in told.problem.errors)
        output.complain(f"line {told.line}: {fields or told.problem.detail}")
    elif told.mistake is not None:
        output.complain(f"line {told.line}: {told.mistake}")
    elif not output.for_people and told.id is not None:
        output.text(told.id)


def _size_of(stream: BinaryIO) -> int | None:
    """How many bytes there are in all, where that is known beforehand."""
    try:
        about = os.fstat(stream.fileno())
    except OSError:
        return None
    return about.st_size if stat.S_ISREG(about.st_mode) else None


def standard_input() -> BinaryIO:
    """Where the lines come from."""
    return sys.stdin.buffer
