"""Channels: what is posted to one reaches all its members."""

from __future__ import annotations

from typing import Final

from waystation.mcp.arguments import PAGE, Cursor, Id, Limit
from waystation.mcp.tool import Tool, Visit, acting, reading
from waystation.mcp.wording import paged, row, shown

_SHOWN_CHARACTERS: Final = 500


@reading
async def bus_list_channels(
    visit: Visit, *, mine: bool = False, limit: Limit = PAGE, cursor: Cursor = ""
) -> str:
    """List the channels that you may see, or only those that you are in."""
    page = await visit.desk.station.channels.list(
        member=visit.desk.agent_id if mine else None, limit=limit, cursor=cursor or None
    )
    lines = [
        row(one.id, topic=one.topic, owner=one.owner, members=one.members, private=one.private)
        for one in page.channels
    ]
    return paged(lines, page.cursor)


@acting(idempotent=True)
async def bus_create_channel(
    visit: Visit, *, id: Id, topic: str = "", private: bool = False
) -> str:
    """Make a channel that is yours; what is sent to channel:ID reaches its members."""
    await visit.desk.presence.ensure()
    channel = await visit.desk.station.channels.create(
        id, owner=visit.desk.agent_id, topic=topic or None, private=private
    )
    return f"channel:{channel.id} is there"


@acting(idempotent=True)
async def bus_join_channel(visit: Visit, *, id: Id) -> str:
    """Join a public channel: its messages come to your inbox."""
    await visit.desk.presence.ensure()
    channel = await visit.desk.station.channels.join(id, agent_id=visit.desk.agent_id)
    return f"you are in channel:{channel.id}, one of {channel.members}"


@acting(idempotent=True)
async def bus_leave_channel(visit: Visit, *, id: Id) -> str:
    """Leave a channel."""
    await visit.desk.station.channels.leave(id, agent_id=visit.desk.agent_id)
    return f"you left channel:{id}"


@acting(idempotent=True)
async def bus_invite_to_channel(visit: Visit, *, id: Id, agent: Id) -> str:
    """Make an agent a member of a channel that you are in."""
    channel = await visit.desk.station.channels.invite(id, agent_id=agent)
    return f"{agent} is in channel:{channel.id}, one of {channel.members}"


@reading
async def bus_list_channel_members(
    visit: Visit, *, id: Id, limit: Limit = PAGE, cursor: Cursor = ""
) -> str:
    """List the members of a channel."""
    page = await visit.desk.station.channels.members(id, limit=limit, cursor=cursor or None)
    return paged([one.agent_id for one in page.members], page.cursor)


@reading
async def bus_get_channel_history(
    visit: Visit, *, id: Id, limit: Limit = PAGE, cursor: Cursor = ""
) -> str:
    """Read the newest messages of a channel; the cursor leads to those before."""
    page = await visit.desk.station.channels.history(id, limit=limit, cursor=cursor or None)
    return paged([shown(one, at=_SHOWN_CHARACTERS) for one in page.messages], page.cursor)


TOOLS: Final[tuple[Tool, ...]] = (
    bus_list_channels,
    bus_create_channel,
    bus_join_channel,
    bus_leave_channel,
    bus_invite_to_channel,
    bus_list_channel_members,
    bus_get_channel_history,
)
