"""The arithmetic behind a figure: percentiles of what was seen, ratios of what was seen in turn."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Half of what was seen is at most `p50`, and all but a hundredth at most `p99`."""

    p50: float
    p99: float


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: a value that was seen, never one between two.

    Raises `ValueError` for no values, or a share outside 0 to 100.
    """
    if not values:
        raise ValueError("nothing was measured")
    if not 0 <= share <= 100:
        raise ValueError(f"{share} is no percentage")
    rank = max(1, math.ceil(len(values) * share / 100))
    return sorted(values)[rank - 1]


def spread(values: Sequence[float]) -> Spread:
    """The p50 and p99 of what was seen."""
    return Spread(p50=percentile(values, 50), p99=percentile(values, 99))


def median_of_ratios(measured: Sequence[float], beside: Sequence[float]) -> float:
    """How much of its baseline a series reaches: the median of the ratios of its pairs.

    Both were measured in turn, so that what else the machine did at a moment met both of a pair.
    Raises `ValueError` if they are no pairs, or a baseline is zero.
    """
    if len(measured) != len(beside) or not measured:
        raise ValueError(f"{len(measured)} and {len(beside)} measurements make no pairs")
    if not all(beside):
        raise ValueError("a baseline of zero has no ratio")
    return statistics.median(one / base for one, base in zip(measured, beside, strict=True))
