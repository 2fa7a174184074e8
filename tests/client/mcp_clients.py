"""Clients of the MCP server, as processes that a test starts."""

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult, TextContent

from tests.process.stations import Station


def command_of(station: Station, agent: str, *options: str) -> StdioServerParameters:
    """How to start the server of this agent."""
    environ = {name: value for name, value in os.environ.items() if name.startswith("WAYSTATION_")}
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "waystation", "mcp", "--agent", agent, "--url", station.url, *options],
        env=environ,
    )


@asynccontextmanager
async def served(
    station: Station, agent: str, *options: str, **attributes: Any
) -> AsyncIterator[Client]:
    """A client of the MCP server of this agent, over stdio."""
    async with Client(command_of(station, agent, *options), **attributes) as client:
        yield client


def text_of(result: CallToolResult) -> str:
    """What the model reads."""
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


async def call(client: Client, tool: str, arguments: Mapping[str, Any] | None = None) -> str:
    """What the model reads of a call that works."""
    result = await client.call_tool(tool, dict(arguments or {}))
    assert not result.is_error, text_of(result)
    return text_of(result)


async def refusal(client: Client, tool: str, arguments: Mapping[str, Any]) -> str:
    """What the model reads of a call that is refused."""
    result = await client.call_tool(tool, dict(arguments))
    assert result.is_error, text_of(result)
    return text_of(result)


async def taken(client: Client, *, limit: int = 1) -> list[str]:
    """Wait for messages, and give the ids of what came."""
    text = await call(client, "bus_wait", {"max_seconds": 20, "limit": limit})
    return [line.split()[0] for line in text.splitlines() if line.startswith("msg_")]
