"""Time as the domain sees it: whole milliseconds since the epoch, UTC."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

Clock = Callable[[], int]
"""Returns milliseconds since the epoch."""

MILLISECONDS: Final = 1000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def system_clock() -> int:
    """The wall clock of this machine; leases and ages use Redis's own clock instead."""
    return time.time_ns() // 1_000_000


def to_ms(moment: datetime) -> int:
    """An aware moment as milliseconds since the epoch."""
    return round((moment - _EPOCH) / timedelta(milliseconds=1))


def from_ms(milliseconds: int) -> datetime:
    """Milliseconds since the epoch as an aware UTC moment."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def rfc3339(milliseconds: int) -> str:
    """Milliseconds since the epoch as RFC 3339 in UTC: `2026-01-31T12:00:00.000Z`."""
    seconds, rest = divmod(milliseconds, MILLISECONDS)
    return f"{_to_the_second(seconds)}.{rest:03d}Z"


@functools.lru_cache(maxsize=1024)
def _to_the_second(seconds: int) -> str:
    # The times of a batch fall into few seconds, and strftime takes longer than all else here.
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")


def seconds_to_ms(seconds: float) -> int:
    """Seconds as whole milliseconds."""
    return round(seconds * MILLISECONDS)
