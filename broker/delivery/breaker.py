"""The circuit breaker of a destination (SPEC E14): a pure state machine, kept by whoever delivers.

Closed, it lets everything pass; after so many failures in a row it opens, and nothing is attempted;
after a while it is half open: one attempt decides whether it closes or opens again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """Whether a destination is tried."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, kw_only=True)
class BreakerPolicy:
    """How many failures in a row open a breaker, and for how long (ms)."""

    failures: int
    open_ms: int


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """What is remembered of a destination: failures in a row, and when (ms) it was given up."""

    failures: int = 0
    opened_at: int | None = None

    def state(self, now: int, policy: BreakerPolicy) -> BreakerState:
        """Whether the destination may be tried at `now`."""
        retry_at = self.retry_at(policy)
        if retry_at is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < retry_at else BreakerState.HALF_OPEN

    def retry_at(self, policy: BreakerPolicy) -> int | None:
        """From when (ms) one attempt is made; None while it is closed."""
        return None if self.opened_at is None else self.opened_at + policy.open_ms

    def after_success(self) -> Breaker:
        """The breaker of a destination that works."""
        return Breaker()

    def after_failure(self, now: int, policy: BreakerPolicy) -> Breaker:
        """The breaker after one more failure; the one attempt of a half open one opens it again."""
        failures = self.failures + 1
        gives_up = self.opened_at is not None or failures >= policy.failures
        return Breaker(failures=failures, opened_at=now if gives_up else None)
