"""Whether the station is ready, how healthy it is, and from where on that is worth an alert.

SPEC O1, O2.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypedDict

from marshmallow import ValidationError

from app.schemas.fields import Whole
from app.schemas.kinds import Kind
from app.schemas.shape import QueryShape, Shape
from broker.kernel.clock import rfc3339
from broker.messaging.wire import Timestamp
from broker.operations.health import HealthReport
from broker.operations.monitor import Examination
from broker.operations.readiness import PartReadiness
from broker.operations.store import StoredAlert
from broker.operations.thresholds import LIMITS, Thresholds

_MAX_REPORTS: Final = 1000
_REPORTS: Final = 100
_LATEST: Final = 2**53


@dataclass(frozen=True, kw_only=True)
class HistoryPage:
    """A page of health reports; `before` is a moment in ms."""

    limit: int
    before: int | None


class HistoryShape(QueryShape[HistoryPage]):
    """Which page of the health reports, newest first."""

    limit = Whole(
        1, _MAX_REPORTS, description=f"At most so many; {_REPORTS} where nothing is said."
    )
    before = Whole(0, _LATEST, data_key="cursor", description="Go on behind this one.")

    def build(self, values: dict[str, Any]) -> HistoryPage:
        """The page that is asked for."""
        return HistoryPage(limit=values.get("limit", _REPORTS), before=values.get("before"))


class _Limit(Kind[float]):
    """A threshold, within the limits that the domain sets for it."""

    def __init__(self, name: str) -> None:
        self._least, self._most = LIMITS[name]
        super().__init__(
            {
                "type": "number",
                "minimum": self._least,
                "maximum": self._most,
                "default": getattr(Thresholds(), name),
            }
        )

    def _deserialize(self, value: object, *_: object, **__: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValidationError("must be a number")
        if not (math.isfinite(value) and self._least <= value <= self._most):
            raise ValidationError(f"must be from {self._least:g} to {self._most:g}")
        return value


class ThresholdsShape(Shape[dict[str, float]]):
    """From where on the station's health is worth an alert; what is left out is at its default."""

    critical_score = _Limit("critical_score")
    warning_score = _Limit("warning_score")
    critical_error_rate = _Limit("critical_error_rate")
    warning_latency_seconds = _Limit("warning_latency_seconds")
    warning_availability = _Limit("warning_availability")
    window_seconds = _Limit("window_seconds")
    minimum_deliveries = _Limit("minimum_deliveries")
    resolve_after_seconds = _Limit("resolve_after_seconds")


class AliveView(TypedDict):
    """The process answers."""

    status: str


class PartView(TypedDict):
    """A part of the station."""

    name: str
    status: str


class ReadyView(TypedDict):
    """The station can do its work."""

    status: str
    parts: list[PartView]


class ScorePartView(TypedDict):
    """A part of the score, with the value that it was made from."""

    score: float
    weight: int
    value: float


class ConditionView(TypedDict):
    """Something beyond its threshold."""

    alert: str
    severity: str
    value: float
    threshold: float


class AlertView(ConditionView):
    """An alert that stands."""

    since: Timestamp


class HealthReportView(TypedDict):
    """The health of the station at one moment."""

    at: Timestamp
    score: float
    parts: dict[str, ScorePartView]
    conditions: list[ConditionView]


class HealthView(HealthReportView):
    """The health of the station now, and the alerts that stand."""

    alerts: list[AlertView]


class HistoryView(TypedDict):
    """A page of health reports, newest first; the cursor is null at the end."""

    reports: list[HealthReportView]
    cursor: str | None


class ThresholdsView(TypedDict):
    """The thresholds; rates and availability are shares from 0 to 1."""

    critical_score: float
    warning_score: float
    critical_error_rate: float
    warning_latency_seconds: float
    warning_availability: float
    window_seconds: float
    minimum_deliveries: float
    resolve_after_seconds: float


def ready_view(parts: list[PartReadiness]) -> ReadyView:
    """A station all of whose parts are there."""
    return {
        "status": "ready",
        "parts": [{"name": part.name, "status": part.state.value} for part in parts],
    }


def report_view(report: HealthReport) -> HealthReportView:
    """A health report."""
    return {
        "at": rfc3339(report.at),
        "score": report.score,
        "parts": {
            name: {"score": part.score, "weight": part.weight, "value": part.value}
            for name, part in report.parts.items()
        },
        "conditions": [
            {
                "alert": condition.measure.value,
                "severity": condition.severity.value,
                "value": condition.value,
                "threshold": condition.limit,
            }
            for condition in report.conditions
        ],
    }


def health_view(examination: Examination, alerts: list[StoredAlert]) -> HealthView:
    """The health of the station now."""
    return {
        **report_view(examination.report),
        "alerts": [
            {
                "alert": alert.measure,
                "severity": alert.severity,
                "value": alert.value,
                "threshold": alert.limit,
                "since": rfc3339(alert.since),
            }
            for alert in alerts
        ],
    }


def thresholds_view(thresholds: Thresholds) -> Mapping[str, float]:
    """The thresholds as they are set: a `ThresholdsView`."""
    return dataclasses.asdict(thresholds)


HISTORY: Final = HistoryShape()
THRESHOLDS: Final = ThresholdsShape()
