"""Dead letters: what could not be delivered, or failed too often."""

from __future__ import annotations

from typing import Final

from waystation.mcp.arguments import PAGE, Cursor, Id, Limit
from waystation.mcp.tool import Tool, Visit, acting, reading
from waystation.mcp.wording import paged, row


@reading
async def bus_get_dead_letters(
    visit: Visit,
    *,
    agent: str = "",
    channel: str = "",
    reason: str = "",
    status: str = "",
    limit: Limit = PAGE,
    cursor: Cursor = "",
) -> str:
    """List dead letters, newest first."""
    page = await visit.desk.station.dead_letters.list(
        agent=agent or None,
        channel=channel or None,
        reason=reason or None,
        status=status or None,
        limit=limit,
        cursor=cursor or None,
    )
    lines = [
        row(
            one.id,
            message=one.message_id,
            of=one.agent_id,
            reason=one.reason,
            error=one.last_error,
            attempts=one.attempts,
            status=one.status,
            next_retry_at=one.next_retry_at,
        )
        for one in page.dead_letters
    ]
    return paged(lines, page.cursor)


@acting(idempotent=True)
async def bus_retry_dead_letter(visit: Visit, *, id: Id) -> str:
    """Put a dead letter back into its inbox."""
    closed = await visit.desk.station.dead_letters.retry(id)
    return f"{closed.id} is {closed.status}"


@acting(destructive=True, idempotent=True)
async def bus_resolve_dead_letter(visit: Visit, *, id: Id, resolution: str) -> str:
    """Close the case of a dead letter without delivering it."""
    closed = await visit.desk.station.dead_letters.resolve(id, resolution)
    return f"{closed.id} is {closed.status}"


TOOLS: Final[tuple[Tool, ...]] = (
    bus_get_dead_letters,
    bus_retry_dead_letter,
    bus_resolve_dead_letter,
)
