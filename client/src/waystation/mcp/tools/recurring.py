"""Recurring messages: sent on a schedule, until they are cancelled."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from pydantic import Field

from waystation.answers import Recurring
from waystation.mcp.arguments import PAGE, Cursor, Id, Limit, To
from waystation.mcp.tool import Tool, Visit, acting, reading
from waystation.mcp.wording import paged, row
from waystation.transport import given


@acting()
async def bus_create_recurring(
    visit: Visit,
    *,
    to: To,
    body: str,
    schedule: Annotated[str, Field(description="interval:<seconds>, cron, or at:<RFC 3339>")],
    subject: str = "",
    timezone: str = "",
    expires_at: datetime | None = None,
) -> str:
    """Send a message again and again; {{now}}, {{date}}, {{count}} stand for their values."""
    await visit.desk.presence.ensure()
    created = await visit.desk.station.recurring.create(
        visit.desk.agent_id,
        to,
        body,
        schedule=schedule,
        timezone=timezone or None,
        expires_at=expires_at,
        **given(subject=subject or None),
    )
    return _line(created)


@reading
async def bus_list_recurring(
    visit: Visit, *, status: str = "", limit: Limit = PAGE, cursor: Cursor = ""
) -> str:
    """List recurring messages, newest first."""
    page = await visit.desk.station.recurring.list(
        status=status or None, limit=limit, cursor=cursor or None
    )
    return paged([_line(one) for one in page.recurring], page.cursor)


@acting(idempotent=True)
async def bus_pause_recurring(visit: Visit, *, id: Id) -> str:
    """Send nothing until it is resumed."""
    return _line(await visit.desk.station.recurring.pause(id))


@acting(idempotent=True)
async def bus_resume_recurring(visit: Visit, *, id: Id) -> str:
    """Go on with the next time that lies ahead."""
    return _line(await visit.desk.station.recurring.resume(id))


@acting(destructive=True, idempotent=True)
async def bus_cancel_recurring(visit: Visit, *, id: Id) -> str:
    """End a recurring message for good."""
    return _line(await visit.desk.station.recurring.cancel(id))


@reading
async def bus_get_recurring_history(
    visit: Visit, *, id: Id, limit: Limit = PAGE, cursor: Cursor = ""
) -> str:
    """See what became of each of its times, newest first."""
    page = await visit.desk.station.recurring.history(id, limit=limit, cursor=cursor or None)
    lines = [
        row(
            f"{one.scheduled_at:%Y-%m-%dT%H:%M:%SZ}",
            outcome=one.outcome,
            message=one.message_id,
            times=one.count,
            detail=one.detail,
        )
        for one in page.history
    ]
    return paged(lines, page.cursor)


def _line(recurring: Recurring) -> str:
    return row(
        recurring.id,
        to=recurring.to,
        schedule=recurring.schedule,
        status=recurring.status,
        next_at=recurring.next_at,
        sent=recurring.sent,
        subject=recurring.subject,
    )


TOOLS: Final[tuple[Tool, ...]] = (
    bus_create_recurring,
    bus_list_recurring,
    bus_pause_recurring,
    bus_resume_recurring,
    bus_cancel_recurring,
    bus_get_recurring_history,
)
