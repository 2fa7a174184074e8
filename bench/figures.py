"""What a benchmark says: figures, each beside its target (DESIGN section 6)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec


class Unit(StrEnum):
    """How a value is meant."""

    SHARE = "share"
    RATE = "messages/s"
    MILLISECONDS = "ms"
    SECONDS = "s"
    BYTES = "B"
    MEBIBYTES = "MiB"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a value should be: at least or at most there."""

    value: float
    at_least: bool

    def reached(self, value: float) -> float:
        """How much of the target a value reaches; 1 and above is met."""
        if self.at_least:
            return value / self.value
        return self.value / value if value > 0 else float("inf")


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table. `p50_ms` and `p99_ms` are of one call; `beside` names the baseline."""

    name: str
    what: str
    value: float
    unit: Unit
    p50_ms: float | None = None
    p99_ms: float | None = None
    beside: str = ""

    @property
    def target(self) -> Target | None:
        """Its target; None for what is only shown."""
        return TARGETS.get(self.name)

    @property
    def reached(self) -> float | None:
        """How much of its target it reaches."""
        return self.target.reached(self.value) if self.target else None


def _at_least(value: float) -> Target:
    return Target(value=value, at_least=True)


def _at_most(value: float) -> Target:
    return Target(value=value, at_least=False)


TARGETS: Final[dict[str, Target]] = {
    "single_post": _at_least(0.70),
    "batch_post": _at_least(0.60),
    "end_to_end_batches": _at_least(30_000),
    "end_to_end_single": _at_least(0.70),
    "idle_post_p50": _at_most(2),
    "idle_post_p99": _at_most(10),
    "idle_websocket_p50": _at_most(5),
    "idle_websocket_p99": _at_most(20),
    "crowd_p99": _at_most(100),
    "depth": _at_most(1.3),
    "memory_per_message": _at_most(900),
    "memory_idle": _at_most(350),
    "start": _at_most(60),
}
