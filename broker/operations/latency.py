"""The histogram of delivery latency: from acceptance to the first delivery."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

BUCKETS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 60_000)
"""Upper bounds in ms, as storage/lua/includes/latency.lua counts them."""

_FIELD: Final = "latency_ms_le_"
_SUM_FIELD: Final = "latency_ms_sum"


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """How many deliveries fell into each bucket; the last count is beyond the last bound."""

    counts: tuple[int, ...]
    sum_ms: int

    @classmethod
    def from_totals(cls, totals: Mapping[str, int]) -> Histogram:
        """The histogram that the counters hold (keys.counters)."""
        return cls(
            counts=tuple(totals.get(f"{_FIELD}{bound}", 0) for bound in (*BUCKETS_MS, "inf")),
            sum_ms=totals.get(_SUM_FIELD, 0),
        )

    @property
    def count(self) -> int:
        """How many deliveries were observed."""
        return sum(self.counts)

    @property
    def average_ms(self) -> float | None:
        """The mean in ms; None where nothing was observed."""
        return self.sum_ms / self.count if self.count else None

    def percentile_ms(self, percent: float) -> float | None:
        """The latency that `percent` of the deliveries did not exceed; None without any.

        Within its bucket it is interpolated, as Prometheus does. Beyond the last bound nothing is
        known but that: the answer is the bound, unless the sum shows that it must be more.
        """
        if not self.count:
            return None
        rank = self.count * percent / 100
        seen = 0
        lower = 0
        for bound, count in zip(BUCKETS_MS, self.counts, strict=False):
            if count and seen + count >= rank:
                return lower + (bound - lower) * max(0.0, rank - seen) / count
            seen += count
            lower = bound
        return self._beyond_ms()

    def _beyond_ms(self) -> float:
        """The least that the deliveries beyond the last bound took on average."""
        within = sum(bound * count for bound, count in zip(BUCKETS_MS, self.counts, strict=False))
        return max(BUCKETS_MS[-1], (self.sum_ms - within) / max(1, self.counts[-1]))

    def cumulative(self) -> list[tuple[float, int]]:
        """Pairs of upper bound in ms and how many did not exceed it; the last bound is infinite."""
        pairs = []
        seen = 0
        for bound, count in zip((*BUCKETS_MS, math.inf), self.counts, strict=True):
            seen += count
            pairs.append((float(bound), seen))
        return pairs
