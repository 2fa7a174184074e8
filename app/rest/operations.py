"""Operations: probes and metrics at the root; numbers, health and thresholds (SPEC M15, O1, O2)."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint
from flask import Response, current_app, request

from app.access import OPERATOR, PUBLIC
from app.context import broker, context
from app.json_document import answer
from app.metrics import exposition
from app.rest.operation import operation
from app.schemas.health import (
    HISTORY,
    THRESHOLDS,
    AliveView,
    HealthView,
    HistoryPage,
    HistoryView,
    ReadyView,
    ThresholdsView,
    health_view,
    ready_view,
    report_view,
    thresholds_view,
)
from app.schemas.stats import STATS, StatsView, stats_view

probes = APIBlueprint("probes", __name__)
"""Where orchestrators and Prometheus look for them, outside of the API."""
operations = APIBlueprint("operations", __name__)

_UNCACHED: Final = {"Cache-Control": "no-store"}


@probes.get("/health")
@operation("isAlive", access=PUBLIC, answers={200: AliveView})
def is_alive() -> Response:
    """Say that this process answers; nothing else is looked at."""
    return answer(AliveView(status="alive"), headers=_UNCACHED)


@probes.get("/health/ready")
@operation("isReady", access=PUBLIC, answers={200: ReadyView}, errors=("not_ready",))
def is_ready() -> Response:
    """Say whether every part of the station is there, or name those that are not."""
    return answer(ready_view(context().readiness.check()), headers=_UNCACHED)


@probes.get("/metrics")
@operation("getMetrics", access=OPERATOR, answers={200: None}, hidden=True)
def metrics() -> Response:
    """The metrics of the station for Prometheus."""
    text, content_type = exposition(
        current_app, context().health, request.headers.get("Accept", "")
    )
    return Response(text, content_type=content_type, headers=_UNCACHED)


@operations.get("/stats")
@operation("getStats", access=OPERATOR, query=STATS, answers={200: StatsView})
def stats(query: int) -> Response:
    """Show the station in numbers: depths, counts per state, rates, latency, oldest age."""
    return answer(stats_view(broker().stats.overview(), query))


@operations.get("/health/score")
@operation("getHealth", access=OPERATOR, answers={200: HealthView})
def score() -> Response:
    """Show the health score with its parts, and the alerts that stand."""
    health = broker().health
    return answer(health_view(health.examine(), health.standing_alerts()))


@operations.get("/health/history")
@operation("getHealthHistory", access=OPERATOR, query=HISTORY, answers={200: HistoryView})
def history(query: HistoryPage) -> Response:
    """List the health reports that were taken by schedule, newest first."""
    reports, cursor = broker().health.history(limit=query.limit, before=query.before)
    return answer(
        HistoryView(
            reports=[report_view(report) for report in reports],
            cursor=None if cursor is None else str(cursor),
        )
    )


@operations.get("/health/thresholds")
@operation("getThresholds", access=OPERATOR, answers={200: ThresholdsView})
def thresholds() -> Response:
    """Show from where on the station's health is worth an alert."""
    return answer(thresholds_view(broker().health.thresholds()))


@operations.put("/health/thresholds")
@operation(
    "setThresholds",
    access=OPERATOR,
    body=THRESHOLDS,
    example={"warning_latency_seconds": 2, "warning_availability": 0.5},
    answers={200: ThresholdsView},
)
def set_thresholds(body: dict[str, float]) -> Response:
    """Set the thresholds; what is left out goes back to its default."""
    return answer(thresholds_view(broker().health.set_thresholds(body)))
