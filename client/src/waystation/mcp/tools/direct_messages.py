"""Direct messages: conversations of two."""

from __future__ import annotations

from typing import Final

from waystation.mcp.arguments import PAGE, Cursor, Id, Limit
from waystation.mcp.tool import Tool, Visit, acting, reading
from waystation.mcp.wording import paged, row, shown
from waystation.transport import given

_SHOWN_CHARACTERS: Final = 500


@acting()
async def bus_send_dm(visit: Visit, *, to: Id, body: str, subject: str = "") -> str:
    """Write to one agent, in the conversation that only you two have."""
    await visit.desk.presence.ensure()
    sent = await visit.desk.station.direct_messages.send(
        visit.desk.agent_id, to, body, **given(subject=subject or None)
    )
    return f"sent {sent.id}"


@reading
async def bus_list_dm_conversations(
    visit: Visit, *, limit: Limit = PAGE, cursor: Cursor = ""
) -> str:
    """List with whom you talk, the last used first, and what you have not read."""
    page = await visit.desk.station.direct_messages.list(
        visit.desk.agent_id, limit=limit, cursor=cursor or None
    )
    lines = [
        row(one.with_, unread=one.unread, last_message_at=one.last_message_at)
        for one in page.conversations
    ]
    return paged(lines, page.cursor)


@reading
async def bus_get_dm_history(
    visit: Visit, *, agent: Id, limit: Limit = PAGE, cursor: Cursor = ""
) -> str:
    """Read what you and another agent wrote; the cursor leads to what came before."""
    page = await visit.desk.station.direct_messages.history(
        visit.desk.agent_id, agent, limit=limit, cursor=cursor or None
    )
    return paged([shown(one, at=_SHOWN_CHARACTERS) for one in page.messages], page.cursor)


TOOLS: Final[tuple[Tool, ...]] = (bus_send_dm, bus_list_dm_conversations, bus_get_dm_history)
