"""What the MCP server tells of by itself, and how it lives with a station that comes and goes."""

import asyncio
from collections.abc import AsyncIterable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import Implementation, ResourceUpdatedNotification

from tests.client.conftest import MakeName
from tests.client.mcp_clients import call, command_of, refusal, served
from tests.process.stations import Station, free_port, running
from waystation import AsyncAgent

pytestmark = pytest.mark.client

INBOX = "waystation://inbox"


async def send_until_done(sender: AsyncAgent, to: str, hearing: asyncio.Task[Any]) -> None:
    """To subscribe is answered a moment before the station tells."""
    while not hearing.done():
        await sender.send(to, "news")
        await asyncio.wait([hearing], timeout=0.5)


async def _first(events: AsyncIterable[object]) -> object:
    return await anext(aiter(events))


@pytest.mark.filterwarnings("ignore::mcp.MCPDeprecationWarning")
def test_a_subscriber_hears_that_a_message_came(station: Station, named: MakeName) -> None:
    async def work() -> None:
        updates: asyncio.Queue[str] = asyncio.Queue()

        async def heard(message: object) -> None:
            if isinstance(message, ResourceUpdatedNotification):
                updates.put_nowait(str(message.params.uri))

        async with (
            AsyncAgent(named("alice"), url=station.url) as alice,
            served(station, named("bob"), mode="legacy", message_handler=heard) as client,
        ):
            await call(client, "bus_inbox")
            await client.subscribe_resource(INBOX)
            hearing = asyncio.create_task(updates.get())
            await send_until_done(alice, named("bob"), hearing)
            await client.unsubscribe_resource(INBOX)
            inbox = await client.read_resource(INBOX)

        assert hearing.result() == INBOX
        assert '"news"' in inbox.contents[0].model_dump()["text"]

    asyncio.run(asyncio.wait_for(work(), timeout=60))


def test_a_listener_of_the_newer_protocol_hears_it_too(station: Station, named: MakeName) -> None:
    async def work() -> None:
        async with (
            AsyncAgent(named("alice"), url=station.url) as alice,
            served(station, named("bob")) as client,
        ):
            await call(client, "bus_inbox")

            async with client.listen(resource_subscriptions=[INBOX]) as events:
                hearing = asyncio.create_task(_first(events))
                await send_until_done(alice, named("bob"), hearing)

        assert getattr(hearing.result(), "uri", None) == INBOX

    asyncio.run(asyncio.wait_for(work(), timeout=60))


def test_the_agent_says_in_which_program_its_model_works_and_keeps_what_it_said_before(
    station: Station, named: MakeName
) -> None:
    async def work() -> None:
        async with AsyncAgent(named("bob"), url=station.url, meta={"team": "core"}) as bob:
            info = Implementation(name="some-client", version="7")
            async with served(station, bob.id, client_info=info) as client:
                await call(client, "bus_inbox")
                agent = await bob.station.agents.get(bob.id)

        assert agent.transport == "mcp"
        assert agent.meta == {"team": "core", "client": {"name": "some-client", "version": "7"}}

    asyncio.run(work())


def test_a_model_that_waits_does_not_notice_that_the_station_starts_late(
    named: MakeName, tmp_path: Path
) -> None:
    port = free_port()
    bob = named("bob")

    async def work() -> None:
        away = Station(process=None, port=port, data_dir=tmp_path, output=tmp_path)  # type: ignore[arg-type]
        async with Client(command_of(away, bob)) as client:
            told = await refusal(client, "bus_send", {"to": "alice", "body": "hello"})
            waiting = asyncio.create_task(call(client, "bus_wait", {"max_seconds": 90}))
            started = running(tmp_path / "data", port=port)
            station = await asyncio.to_thread(started.__enter__)
            try:
                async with AsyncAgent(named("alice"), url=station.url) as alice:
                    await alice.send(bob, "good morning", hold_for_unknown=True)
                received = await waiting
            finally:
                await asyncio.to_thread(started.__exit__, None, None, None)

        assert "did not answer" in told
        assert "\ngood morning\n" in received

    asyncio.run(work())
