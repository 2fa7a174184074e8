"""How it stands: with messages, with questions, with the station."""

from __future__ import annotations

from typing import Final

import msgspec

from waystation.mcp.arguments import PAGE, Cursor, Id, Limit
from waystation.mcp.tool import RefusedError, Tool, Visit, acting, reading
from waystation.mcp.tools.looking import receipts
from waystation.mcp.wording import glimpse, listed, paged, row
from waystation.resources.health import NewThresholds


@reading
async def bus_get_delivery_status(visit: Visit, *, id: Id) -> str:
    """See who received a message of yours, who read it, and how it ended."""
    return await receipts(visit, id)


@reading
async def bus_list_pending_questions(
    visit: Visit, *, limit: Limit = PAGE, cursor: Cursor = ""
) -> str:
    """List the questions that you have yet to answer, the most pressing first."""
    page = await visit.desk.station.tickets.pending(
        visit.desk.agent_id, limit=limit, cursor=cursor or None
    )
    return paged([glimpse(one.message) for one in page.tickets], page.cursor)


@reading
async def bus_get_health_status(visit: Visit) -> str:
    """See how the station fares: its score from 0 to 100 and the alerts that stand."""
    health = await visit.desk.station.health.score()
    parts = [row(name, score=part.score, value=part.value) for name, part in health.parts.items()]
    alerts = [row(one.alert, severity=one.severity, since=one.since) for one in health.alerts]
    return "\n".join([f"score {health.score:g}", listed("Parts", parts), listed("Alerts", alerts)])


@reading
async def bus_get_health_history(visit: Visit, *, limit: Limit = PAGE, cursor: Cursor = "") -> str:
    """See how the station fared, newest first."""
    page = await visit.desk.station.health.history(limit=limit, cursor=cursor or None)
    lines = [
        row(
            f"{one.at:%Y-%m-%dT%H:%M:%SZ}",
            score=one.score,
            conditions=[condition.alert for condition in one.conditions],
        )
        for one in page.reports
    ]
    return paged(lines, page.cursor)


@acting(idempotent=True)
async def bus_set_health_threshold(visit: Visit, *, name: Id, value: float) -> str:
    """Set from where on the station's health is worth an alert; for operators."""
    health = visit.desk.station.health
    now: NewThresholds = msgspec.to_builtins(await health.thresholds())
    if name not in now:
        raise RefusedError(f"There is no threshold {name}; known are {', '.join(now)}.")
    now.update({name: value})  # type: ignore[misc]  # one of its own keys
    changed = await health.set_thresholds(**now)
    return row("thresholds", **msgspec.to_builtins(changed))


@reading
async def bus_get_stats(visit: Visit) -> str:
    """See how much is under way at the station."""
    stats = await visit.desk.station.health.stats(inboxes=5)
    return "\n".join(
        [
            row(
                "station",
                under_way=stats.depth.total,
                dead_letters=stats.dead_letters,
                online=stats.agents.online,
                stale=stats.agents.stale,
                offline=stats.agents.offline,
                median_ms=stats.recent_latency_ms.p50,
            ),
            listed(
                "Deepest inboxes",
                [row(one.agent_id, messages=one.depth) for one in stats.depth.deepest],
            ),
        ]
    )


TOOLS: Final[tuple[Tool, ...]] = (
    bus_get_delivery_status,
    bus_list_pending_questions,
    bus_get_health_status,
    bus_get_health_history,
    bus_set_health_threshold,
    bus_get_stats,
)
