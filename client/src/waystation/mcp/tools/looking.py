"""Looking: at other agents, and at messages in full."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from waystation.errors import ThreadNotFoundError
from waystation.mcp.arguments import PAGE, Cursor, Id, Limit
from waystation.mcp.tool import Tool, Visit, reading
from waystation.mcp.wording import fenced, paged, row, shown, text_of

READ_CHARACTERS: Final = 8000
_THREAD_CHARACTERS: Final = 500


@reading
async def bus_agents(
    visit: Visit,
    *,
    status: Literal["online", "stale", "offline"] | None = None,
    tag: str = "",
    capability: str = "",
    limit: Limit = PAGE,
    cursor: Cursor = "",
) -> str:
    """List the agents that you can write to."""
    page = await visit.desk.station.agents.list(
        status=status,
        tag=tag or None,
        capability=capability or None,
        limit=limit,
        cursor=cursor or None,
    )
    lines = [
        row(
            one.id + (" (you)" if one.id == visit.desk.agent_id else ""),
            status=one.status,
            name=one.name,
            label=one.label,
            tags=one.tags,
            capabilities=one.capabilities,
        )
        for one in page.agents
    ]
    return paged(lines, page.cursor)


@reading
async def bus_read(
    visit: Visit,
    *,
    id: Id,
    part: Literal["body", "thread", "receipts"] = "body",
    offset: Annotated[int, Field(ge=0, description="of the body, in characters")] = 0,
    cursor: Annotated[str, Field(description="of the thread")] = "",
) -> str:
    """Read a message in full, its thread, or what became of it for each recipient."""
    if part == "receipts":
        return await receipts(visit, id)
    if part == "thread":
        return await _thread(visit, id, cursor or None)
    message = await visit.desk.station.messages.get(id)
    text = text_of(message)
    end = offset + READ_CHARACTERS
    more = f'\nmore: bus_read(id="{id}", offset={end}) of {len(text)}' if end < len(text) else ""
    return f"{fenced(message.from_, text[offset:end])}{more}"


async def receipts(visit: Visit, message_id: str) -> str:
    """What became of a message, a line a recipient."""
    found = await visit.desk.station.messages.receipts(message_id)
    return paged(
        [
            row(
                one.agent_id,
                status=one.status,
                attempts=one.attempts,
                delivered_at=one.delivered_at,
                read_at=one.read_at,
                finished_at=one.finished_at,
            )
            for one in found
        ],
        None,
        none="No recipient yet.",
    )


async def _thread(visit: Visit, some_id: str, cursor: str | None) -> str:
    threads = visit.desk.station.threads
    try:
        page = await threads.get(some_id, limit=PAGE, cursor=cursor)
    except ThreadNotFoundError:  # the id of a message in it does as well
        message = await visit.desk.station.messages.get(some_id)
        page = await threads.get(message.thread_id, limit=PAGE, cursor=cursor)
    return paged([shown(one, at=_THREAD_CHARACTERS) for one in page.messages], page.cursor)


TOOLS: Final[tuple[Tool, ...]] = (bus_agents, bus_read)
