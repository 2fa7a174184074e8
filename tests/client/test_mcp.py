"""The MCP server as a client of it sees it, over stdio, at a real station."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from mcp import Client, StdioServerParameters
from mcp_types import CallToolResult, TextContent

from tests.client.conftest import MakeName
from tests.process.stations import Station
from waystation import AsyncAgent

pytestmark = pytest.mark.client


@asynccontextmanager
async def served(station: Station, agent: str, *options: str) -> AsyncIterator[Client]:
    """A client of the MCP server of this agent."""
    arguments = ["-m", "waystation", "mcp", "--agent", agent, "--url", station.url, *options]
    async with Client(StdioServerParameters(command=sys.executable, args=arguments)) as client:
        yield client


def text_of(result: CallToolResult) -> str:
    """What the model reads."""
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def test_a_model_sends_and_another_waits_and_replies(station: Station, named: MakeName) -> None:
    async def talk() -> None:
        alice, bob = named("alice"), named("bob")
        async with served(station, alice) as of_alice, served(station, bob) as of_bob:
            waiting = asyncio.create_task(of_bob.call_tool("bus_wait", {"max_seconds": 20}))
            await of_alice.call_tool(
                "bus_send", {"to": bob, "body": "review PR 12", "priority": "high"}
            )
            received = text_of(await waiting)
            message_id = received.split()[0]
            replied = await of_bob.call_tool("bus_reply", {"id": message_id, "body": "done"})
            answer = text_of(await of_alice.call_tool("bus_wait", {"max_seconds": 20}))

        assert f"from {alice}, priority high" in received
        assert "\nreview PR 12\n" in received
        assert not replied.is_error
        assert f"from {bob}, response" in answer
        assert "\ndone\n" in answer

    asyncio.run(talk())


def test_what_is_acknowledged_is_finished_on_the_station(station: Station, named: MakeName) -> None:
    async def work() -> None:
        async with AsyncAgent(named("alice"), url=station.url) as alice:
            async with served(station, named("bob")) as bob:
                await bob.call_tool("bus_wait", {"max_seconds": 0})
                sent = await alice.send(named("bob"), "hello")
                await bob.call_tool("bus_wait", {"max_seconds": 20})
                acknowledged = await bob.call_tool("bus_ack", {"ids": [sent.id]})
            (receipt,) = await alice.station.messages.receipts(sent.id)

        assert not acknowledged.is_error
        assert receipt.status == "acknowledged"

    asyncio.run(work())
