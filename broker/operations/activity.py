"""What happened lately: the difference between the counters now and a sample taken before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from broker.kernel.clock import MILLISECONDS
from broker.operations.latency import Histogram

# Events by which a delivery ends well, and those by which it fails. Withdrawals (cancelled,
# superseded) are what their sender wanted, so they are neither.
DELIVERED: Final = ("delivery.acknowledged", "delivery.replied")
FAILED: Final = ("delivery.dead", "delivery.expired", "delivery.dropped")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The counters at one moment (ms)."""

    at: int
    totals: Mapping[str, int]


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What happened within `window_ms`; a window of 0 says that nothing is known."""

    window_ms: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)

    def rate(self, event: str) -> float:
        """How often per second the event happened."""
        return self.counts.get(event, 0) * MILLISECONDS / self.window_ms if self.window_ms else 0.0

    @property
    def latency(self) -> Histogram:
        """The deliveries within the window."""
        return Histogram.from_totals(self.counts)

    @property
    def finished(self) -> int:
        """How many deliveries ended, well or not."""
        return self._sum(DELIVERED) + self.failed

    @property
    def failed(self) -> int:
        """How many deliveries ended dead, expired or dropped."""
        return self._sum(FAILED)

    @property
    def error_rate(self) -> float:
        """The share of the finished deliveries that failed; 0 where none finished."""
        return self.failed / self.finished if self.finished else 0.0

    def _sum(self, events: Sequence[str]) -> int:
        return sum(self.counts.get(event, 0) for event in events)


def activity_since(samples: Sequence[Sample], now: Sample, window_ms: int) -> Activity:
    """What happened since the oldest sample within the window.

    A sample that counts more than there is now was taken before the data was lost or replaced, and
    one of the future before the clock was set back: either is passed over.
    """
    comparable = [
        sample
        for sample in samples
        if now.at - window_ms <= sample.at < now.at
        and all(now.totals.get(name, 0) >= count for name, count in sample.totals.items())
    ]
    if not comparable:
        return Activity()
    base = min(comparable, key=lambda sample: sample.at)
    return Activity(
        window_ms=now.at - base.at,
        counts={name: count - base.totals.get(name, 0) for name, count in now.totals.items()},
    )
