"""What a check says: whether something is wrong, what was seen, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and may not go on to, or not for everybody."""
    PROBLEM = "problem"
    """It does not work."""
    SKIPPED = "skipped"
    """It was not looked at; what was seen says why."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check says."""

    name: str
    verdict: Verdict
    seen: str
    mend: str | None = None
    """What to do, as exactly as is known: a command where there is one."""


def fine(name: str, seen: str) -> Finding:
    """Nothing is wrong."""
    return Finding(name=name, verdict=Verdict.OK, seen=seen)


def warning(name: str, seen: str, mend: str | None = None) -> Finding:
    """Something is to be looked at."""
    return Finding(name=name, verdict=Verdict.WARNING, seen=seen, mend=mend)


def wrong(name: str, seen: str, mend: str | None = None) -> Finding:
    """Something does not work."""
    return Finding(name=name, verdict=Verdict.PROBLEM, seen=seen, mend=mend)


def skipped(name: str, why: str, mend: str | None = None) -> Finding:
    """It could not be looked at, or was not to be."""
    return Finding(name=name, verdict=Verdict.SKIPPED, seen=why, mend=mend)
