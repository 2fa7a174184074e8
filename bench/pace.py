"""How long a benchmark takes, and so how steady its figures are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Lengths of runs and numbers of repetitions."""

    name: str
    seconds: float
    pairs: int
    end_to_end_seconds: float
    idle_calls: int
    agents: int
    stored: int
    deep: int
    depth_rounds: int


QUICK: Final = Pace(
    name="quick",
    seconds=1.0,
    pairs=2,
    end_to_end_seconds=3.0,
    idle_calls=100,
    agents=200,
    stored=10_000,
    deep=20_000,
    depth_rounds=10,
)
USUAL: Final = Pace(
    name="usual",
    seconds=2.0,
    pairs=5,
    end_to_end_seconds=6.0,
    idle_calls=300,
    agents=1_000,
    stored=20_000,
    deep=100_000,
    depth_rounds=30,
)
FULL: Final = Pace(
    name="full",
    seconds=4.0,
    pairs=7,
    end_to_end_seconds=15.0,
    idle_calls=1_000,
    agents=1_000,
    stored=20_000,
    deep=1_000_000,
    depth_rounds=60,
)
