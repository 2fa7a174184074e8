"""The health score and the alerts that it gives rise to, as functions of measurements (SPEC O2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from broker.kernel.clock import MILLISECONDS
from broker.operations.thresholds import Thresholds

WEIGHTS: Final[Mapping[str, int]] = {
    "agents": 20,
    "latency": 20,
    "errors": 25,
    "depth": 10,
    "workers": 25,
}
"""How much each part counts."""

_BEST: Final = 100.0
# Half of an inbox is there to be used; its other half is the reserve that the score watches.
_COMFORTABLE_FULLNESS: Final = 0.5


class Severity(StrEnum):
    """How urgent an alert is."""

    WARNING = "warning"
    CRITICAL = "critical"


class Measure(StrEnum):
    """What an alert is about."""

    SCORE = "score"
    ERROR_RATE = "error_rate"
    LATENCY = "latency_seconds"
    AVAILABILITY = "availability"


@dataclass(frozen=True, kw_only=True)
class Vitals:
    """What the score is made of. Errors and latency are those of the recent window."""

    agents: int
    agents_online: int
    error_rate: float
    finished: int
    latency_p95_ms: float | None
    observed: int
    fullness: float
    """Depth of the fullest inbox as a share of its limit."""
    pools: int
    pools_alive: int

    @property
    def availability(self) -> float:
        """The share of the agents that is online; 1 where there are none."""
        return self.agents_online / self.agents if self.agents else 1.0


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the score, 0 to 100, with the value that it was made from."""

    score: float
    weight: int
    value: float


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Something that is worth an alert: `value` is beyond `limit`."""

    measure: Measure
    severity: Severity
    value: float
    limit: float


@dataclass(frozen=True, kw_only=True)
class HealthReport:
    """The station's health at one moment (ms)."""

    at: int
    score: float
    parts: Mapping[str, Part]
    conditions: tuple[Condition, ...]


def assess(at: int, vitals: Vitals, thresholds: Thresholds) -> HealthReport:
    """Score the measurements and say which of them are worth an alert."""
    parts = _parts(vitals, thresholds)
    weighted = sum(part.score * part.weight for part in parts.values())
    score = round(weighted / sum(part.weight for part in parts.values()), 1)
    return HealthReport(
        at=at, score=score, parts=parts, conditions=_conditions(score, vitals, thresholds)
    )


def _parts(vitals: Vitals, thresholds: Thresholds) -> dict[str, Part]:
    latency = _judged_latency_seconds(vitals, thresholds)
    errors = _judged_error_rate(vitals, thresholds)
    pools_alive = vitals.pools_alive / vitals.pools if vitals.pools else 1.0
    # At its alert's threshold a part has lost about half of its score.
    scored = {
        "agents": (_BEST * vitals.availability, vitals.availability),
        "latency": (
            _falling(
                latency,
                best=thresholds.warning_latency_seconds / 5,
                worst=thresholds.warning_latency_seconds * 2,
            ),
            latency,
        ),
        "errors": (_falling(errors, best=0, worst=thresholds.critical_error_rate * 2), errors),
        "depth": (_falling(vitals.fullness, best=_COMFORTABLE_FULLNESS, worst=1), vitals.fullness),
        "workers": (_BEST * pools_alive, pools_alive),
    }
    return {
        name: Part(score=round(score, 1), weight=WEIGHTS[name], value=round(value, 4))
        for name, (score, value) in scored.items()
    }


def _conditions(score: float, vitals: Vitals, thresholds: Thresholds) -> tuple[Condition, ...]:
    latency = _judged_latency_seconds(vitals, thresholds)
    errors = _judged_error_rate(vitals, thresholds)
    found = []
    if score < thresholds.critical_score:
        found.append((Measure.SCORE, Severity.CRITICAL, score, thresholds.critical_score))
    elif score < thresholds.warning_score:
        found.append((Measure.SCORE, Severity.WARNING, score, thresholds.warning_score))
    if errors > thresholds.critical_error_rate:
        limit = thresholds.critical_error_rate
        found.append((Measure.ERROR_RATE, Severity.CRITICAL, errors, limit))
    if latency > thresholds.warning_latency_seconds:
        limit = thresholds.warning_latency_seconds
        found.append((Measure.LATENCY, Severity.WARNING, latency, limit))
    if vitals.availability < thresholds.warning_availability:
        limit = thresholds.warning_availability
        found.append((Measure.AVAILABILITY, Severity.WARNING, vitals.availability, limit))
    return tuple(
        Condition(measure=measure, severity=severity, value=round(value, 4), limit=limit)
        for measure, severity, value, limit in found
    )


def _judged_error_rate(vitals: Vitals, thresholds: Thresholds) -> float:
    """The error rate, or 0 while too few deliveries finished to speak of a rate."""
    return vitals.error_rate if vitals.finished >= thresholds.minimum_deliveries else 0.0


def _judged_latency_seconds(vitals: Vitals, thresholds: Thresholds) -> float:
    """The 95th percentile, or 0 while too few deliveries were observed."""
    if vitals.latency_p95_ms is None or vitals.observed < thresholds.minimum_deliveries:
        return 0.0
    return vitals.latency_p95_ms / MILLISECONDS


def _falling(value: float, *, best: float, worst: float) -> float:
    """From 100 up to `best` down to 0 at `worst`, straight between."""
    if value <= best:
        return _BEST
    return max(0.0, _BEST * (worst - value) / (worst - best)) if worst > best else 0.0
