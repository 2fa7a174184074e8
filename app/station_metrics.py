"""The station as Prometheus metrics, read from Redis at each scrape (SPEC O1).

Labels have few values, whatever the station holds: no agents, no messages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from broker.kernel.clock import MILLISECONDS
from broker.kernel.errors import BrokerError
from broker.kernel.events import FINAL_STATES
from broker.operations.health import Severity
from broker.operations.latency import Histogram
from broker.operations.measurements import RedisServer, Snapshot, Staff
from broker.operations.monitor import Examination, Health
from broker.operations.readiness import POOLS

PREFIX: Final = "waystation"
"""What stands before every metric's name."""


class StationCollector(Collector):
    """The station as Redis knows it. While Redis is away only that is told."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        """Measure the station."""
        try:
            examination = self._health.examine()
            alerts = [alert.severity for alert in self._health.standing_alerts()]
        except BrokerError:
            yield _gauge("redis_up", "Whether Redis answers.", 0)
            return
        yield _gauge("redis_up", "Whether Redis answers.", 1)
        yield from _messages(examination.overview.snapshot)
        yield from _inboxes(examination.overview.snapshot)
        yield from _people(examination.overview.snapshot, examination.overview.staff)
        yield from _health(examination, alerts)
        yield from _redis(examination)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", meaning, value=value)


def _gauges(name: str, meaning: str, label: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", meaning, labels=[label])
    for value_of_label, value in values:
        family.add_metric([value_of_label], value)
    return family


def _messages(snapshot: Snapshot) -> Iterator[Metric]:
    yield _gauges(
        "messages",
        "Messages by where they stand; those that have their verdict are in the events.",
        "state",
        [(state, count) for state, count in snapshot.states.items() if state not in FINAL_STATES],
    )
    yield _gauges(
        "oldest_message_age_seconds",
        "How long the oldest message waits to be routed (accepted) or leased (queued).",
        "state",
        [
            ("accepted", (snapshot.age_ms(snapshot.oldest_accepted_at) or 0) / MILLISECONDS),
            ("queued", (snapshot.age_ms(snapshot.oldest_queued_at) or 0) / MILLISECONDS),
        ],
    )
    events = CounterMetricFamily(
        f"{PREFIX}_events",
        "Moves of messages and deliveries since the beginning of the data.",
        labels=["event"],
    )
    for event, count in sorted(snapshot.totals.items()):
        if "." in event:  # the others are the histogram's
            events.add_metric([event], count)
    yield events
    yield _gauge(
        "breakers_open",
        "Destinations that failed too often and are given up for a while.",
        snapshot.totals.get("breaker.opened", 0) - snapshot.totals.get("breaker.closed", 0),
    )
    yield _latency(snapshot.latency)


def _latency(histogram: Histogram) -> Metric:
    return HistogramMetricFamily(
        f"{PREFIX}_delivery_latency_seconds",
        "From acceptance, or the delivery time of a delayed message, to the first delivery.",
        buckets=[(_bound(bound), count) for bound, count in histogram.cumulative()],
        sum_value=histogram.sum_ms / MILLISECONDS,
    )


def _bound(milliseconds: float) -> str:
    text: str = floatToGoString(milliseconds / MILLISECONDS)  # type: ignore[no-untyped-call]
    return text


def _inboxes(snapshot: Snapshot) -> Iterator[Metric]:
    yield _gauge("inboxes", "Inboxes with unfinished deliveries.", len(snapshot.inboxes))
    deepest = snapshot.inboxes[0].depth if snapshot.inboxes else 0
    yield _gauge("deepest_inbox_messages", "Unfinished deliveries of the deepest inbox.", deepest)
    yield _gauge(
        "fullest_inbox_ratio",
        "Depth of the fullest inbox as a share of its limit.",
        snapshot.fullness,
    )
    yield _gauge("dead_letters", "Dead letters that are kept.", snapshot.dead_letters)


def _people(snapshot: Snapshot, staff: Staff) -> Iterator[Metric]:
    agents = snapshot.agents
    yield _gauges(
        "agents",
        "Registered agents by presence.",
        "presence",
        [("online", agents.online), ("stale", agents.stale), ("offline", agents.offline)],
    )
    yield _gauges(
        "processes",
        "Living processes of each worker pool, and schedulers.",
        "role",
        [(role, staff.alive.get(role, 0)) for role in POOLS],
    )


def _health(examination: Examination, alerts: list[str]) -> Iterator[Metric]:
    report = examination.report
    yield _gauge("health_score", "The health of the station, 0 to 100.", report.score)
    yield _gauges(
        "health_part_score",
        "The parts of the health score, 0 to 100.",
        "part",
        [(name, part.score) for name, part in report.parts.items()],
    )
    yield _gauges(
        "alerts",
        "Alerts that stand.",
        "severity",
        [(severity, alerts.count(severity)) for severity in Severity],
    )


def _redis(examination: Examination) -> Iterator[Metric]:
    columns: list[tuple[str, str, Callable[[RedisServer], float]]] = [
        ("redis_memory_bytes", "Memory that Redis uses.", lambda one: one.used_memory_bytes),
        (
            "redis_memory_limit_bytes",
            "Memory that Redis may use; 0 is no limit.",
            lambda one: one.max_memory_bytes,
        ),
        ("redis_clients", "Connections to Redis.", lambda one: one.clients),
        (
            "redis_append_only",
            "Whether Redis logs every write to disk.",
            lambda one: float(one.append_only),
        ),
        (
            "redis_append_only_ok",
            "Whether the last write of that log succeeded.",
            lambda one: float(one.append_only_ok),
        ),
    ]
    servers = examination.overview.servers
    for name, meaning, read in columns:
        yield _gauges(name, meaning, "server", [(one.name, read(one)) for one in servers])
