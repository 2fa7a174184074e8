"""Watches the station's health: scores it, remembers the scores, and has alerts told (SPEC O2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from broker.kernel.clock import seconds_to_ms
from broker.operations.alerts import Alerts
from broker.operations.health import HealthReport, Vitals, assess
from broker.operations.readiness import POOLS
from broker.operations.stats import Overview, Stats
from broker.operations.store import OperationsStore, StoredAlert
from broker.operations.thresholds import Thresholds, thresholds_from


@dataclass(frozen=True, kw_only=True)
class Examination:
    """A health report with all the measurements that it was made from."""

    overview: Overview
    report: HealthReport


class Health:
    """The health of the station. Raises `StorageUnavailableError` while Redis is away."""

    def __init__(self, store: OperationsStore, stats: Stats, alerts: Alerts) -> None:
        self._store = store
        self._stats = stats
        self._alerts = alerts

    def examine(self) -> Examination:
        """Measure and score the station now, without remembering it."""
        thresholds = self.thresholds()
        overview = self._stats.overview(seconds_to_ms(thresholds.window_seconds))
        report = assess(overview.snapshot.at, vitals_of(overview), thresholds)
        return Examination(overview=overview, report=report)

    def check(self) -> HealthReport:
        """Score the station, remember it, and tell the user of alerts; called by schedule."""
        report = self.examine().report
        self._store.keep_report(report)
        self._alerts.update(report.conditions, self.thresholds())
        return report

    def history(
        self, *, limit: int, before: int | None = None
    ) -> tuple[list[HealthReport], int | None]:
        """Remembered reports, newest first, and the moment (ms) before which to go on."""
        older = (report for report in self._store.reports() if before is None or report.at < before)
        page = list(islice(older, limit + 1))
        return page[:limit], page[limit - 1].at if len(page) > limit else None

    def standing_alerts(self) -> list[StoredAlert]:
        """The alerts that were raised and are not over."""
        return self._alerts.standing()

    def thresholds(self) -> Thresholds:
        """The thresholds as they are set."""
        return thresholds_from(self._store.thresholds())

    def set_thresholds(self, values: Mapping[str, float]) -> Thresholds:
        """Set these thresholds, and the others to their defaults. Raises `InvalidFieldsError`."""
        thresholds = thresholds_from(values)
        self._store.set_thresholds(dataclasses.asdict(thresholds))
        return thresholds


def vitals_of(overview: Overview) -> Vitals:
    """What the score is made of, out of all that was measured."""
    snapshot, recent = overview.snapshot, overview.recent
    return Vitals(
        agents=snapshot.agents.registered,
        agents_online=snapshot.agents.online,
        error_rate=recent.error_rate,
        finished=recent.finished,
        latency_p95_ms=recent.latency.percentile_ms(95),
        observed=recent.latency.count,
        fullness=snapshot.fullness,
        pools=len(POOLS),
        pools_alive=len(POOLS) - len(overview.staff.missing(POOLS)),
    )
