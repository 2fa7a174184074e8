"""The way to all other tools."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field

from waystation.mcp.tool import Tool, Visit, acting
from waystation.mcp.wording import json_text


@acting(destructive=True)
async def bus_more(
    visit: Visit,
    *,
    group: Annotated[str, Field(description="whose tools to describe and list")] = "",
    call: Annotated[str, Field(description="tool to call, if it isn't in your list")] = "",
    arguments: Annotated[dict[str, Any] | None, Field(description="for call")] = None,
) -> str:
    """Use more tools: channels, direct messages, claims, dead letters, recurring messages, status.

    Without arguments it names them all.
    """
    if call:
        return await visit.shelf.find(call).run(visit, arguments or {})
    if group:
        tools = visit.shelf.show(group)
        await visit.tools_changed()
        return "\n".join(_described(tool) for tool in tools)
    return "\n".join(f"{name}: {tools}" for name, tools in visit.shelf.groups().items())


def _described(tool: Tool) -> str:
    return f"{tool.name} {json_text(tool.schema['properties'])} {tool.description}"


TOOLS: Final[tuple[Tool, ...]] = (bus_more,)
