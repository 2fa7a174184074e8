"""The station in numbers (SPEC M15)."""

from __future__ import annotations

from typing import Any, Final, TypedDict

from app.schemas.fields import Whole
from app.schemas.shape import QueryShape
from broker.kernel.clock import MILLISECONDS, rfc3339
from broker.messaging.wire import Timestamp
from broker.operations.activity import FAILED, Activity
from broker.operations.latency import Histogram
from broker.operations.measurements import InboxDepth, Snapshot
from broker.operations.readiness import POOLS
from broker.operations.stats import Overview

_MAX_INBOXES: Final = 1000
_INBOXES: Final = 10
_PERCENTILES: Final = (50, 90, 95, 99)


class StatsShape(QueryShape[int]):
    """How many of the deepest inboxes to show."""

    inboxes = Whole(0, _MAX_INBOXES, description=f"So many; {_INBOXES} where nothing is said.")

    def build(self, values: dict[str, Any]) -> int:
        """The number of inboxes."""
        return int(values.get("inboxes", _INBOXES))


class InboxDepthView(TypedDict):
    """How much stands in one inbox."""

    agent_id: str
    depth: int
    queued: int
    leased: int
    waiting: int
    limit: int
    oldest_age_seconds: float | None


class DepthView(TypedDict):
    """How much is under way, and where most of it is."""

    total: int
    inboxes: int
    fullest_ratio: float
    deepest: list[InboxDepthView]


class AgesView(TypedDict):
    """How long the oldest message waits to be routed (accepted) and to be leased (queued)."""

    accepted: float | None
    queued: float | None


class RatesView(TypedDict):
    """How often a second, over the window; a window of 0 says that nothing is known yet."""

    window_seconds: float
    accepted_per_second: float
    queued_per_second: float
    leased_per_second: float
    acknowledged_per_second: float
    replied_per_second: float
    failed_per_second: float
    error_rate: float


class LatencyView(TypedDict):
    """From acceptance to the first delivery, in ms."""

    count: int
    average: float | None
    p50: float | None
    p90: float | None
    p95: float | None
    p99: float | None


class PresencesView(TypedDict):
    """Agents by presence."""

    online: int
    stale: int
    offline: int


class RedisServerView(TypedDict):
    """A Redis server; a memory limit of 0 is none."""

    name: str
    used_memory_bytes: int
    max_memory_bytes: int
    append_only: bool
    append_only_ok: bool
    clients: int


class StatsView(TypedDict):
    """The station in numbers; final states, totals and `latency_ms` count since its start."""

    measured_at: Timestamp
    states: dict[str, int]
    depth: DepthView
    oldest_age_seconds: AgesView
    rates: RatesView
    latency_ms: LatencyView
    recent_latency_ms: LatencyView
    totals: dict[str, int]
    dead_letters: int
    agents: PresencesView
    processes: dict[str, int]
    redis: list[RedisServerView]


def stats_view(overview: Overview, inboxes: int) -> StatsView:
    """The station in numbers, with so many of its inboxes."""
    snapshot = overview.snapshot
    return {
        "measured_at": rfc3339(snapshot.at),
        "states": {state.value: count for state, count in snapshot.states.items()},
        "depth": {
            "total": snapshot.depth,
            "inboxes": len(snapshot.inboxes),
            "fullest_ratio": snapshot.fullness,
            "deepest": [_inbox(inbox, snapshot) for inbox in snapshot.inboxes[:inboxes]],
        },
        "oldest_age_seconds": {
            "accepted": _age_seconds(snapshot, snapshot.oldest_accepted_at),
            "queued": _age_seconds(snapshot, snapshot.oldest_queued_at),
        },
        "rates": _rates(overview.recent),
        "latency_ms": _latency(snapshot.latency),
        "recent_latency_ms": _latency(overview.recent.latency),
        "totals": {event: n for event, n in sorted(snapshot.totals.items()) if "." in event},
        "dead_letters": snapshot.dead_letters,
        "agents": {
            "online": snapshot.agents.online,
            "stale": snapshot.agents.stale,
            "offline": snapshot.agents.offline,
        },
        "processes": {role.value: overview.staff.alive.get(role, 0) for role in POOLS},
        "redis": [
            {
                "name": server.name,
                "used_memory_bytes": server.used_memory_bytes,
                "max_memory_bytes": server.max_memory_bytes,
                "append_only": server.append_only,
                "append_only_ok": server.append_only_ok,
                "clients": server.clients,
            }
            for server in overview.servers
        ],
    }


def _inbox(inbox: InboxDepth, snapshot: Snapshot) -> InboxDepthView:
    return {
        "agent_id": inbox.agent_id,
        "depth": inbox.depth,
        "queued": inbox.queued,
        "leased": inbox.leased,
        "waiting": inbox.waiting,
        "limit": inbox.limit,
        "oldest_age_seconds": _age_seconds(snapshot, inbox.oldest_at),
    }


def _age_seconds(snapshot: Snapshot, since: int | None) -> float | None:
    age = snapshot.age_ms(since)
    return None if age is None else age / MILLISECONDS


def _rates(recent: Activity) -> RatesView:
    def rate(*events: str) -> float:
        return round(sum(map(recent.rate, events)), 3)

    return {
        "window_seconds": recent.window_ms / MILLISECONDS,
        "accepted_per_second": rate("message.accepted"),
        "queued_per_second": rate("delivery.queued"),
        "leased_per_second": rate("delivery.leased"),
        "acknowledged_per_second": rate("delivery.acknowledged"),
        "replied_per_second": rate("delivery.replied"),
        "failed_per_second": rate(*FAILED),
        "error_rate": round(recent.error_rate, 4),
    }


def _latency(histogram: Histogram) -> LatencyView:
    p50, p90, p95, p99 = (_rounded(histogram.percentile_ms(percent)) for percent in _PERCENTILES)
    return {
        "count": histogram.count,
        "average": _rounded(histogram.average_ms),
        "p50": p50,
        "p90": p90,
        "p95": p95,
        "p99": p99,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


STATS: Final = StatsShape()
