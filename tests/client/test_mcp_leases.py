"""What a model holds comes back, however its program ends."""

import asyncio
import os
import signal
import time

import psutil
import pytest
from mcp import Client

from tests.client.conftest import MakeName
from tests.client.mcp_clients import call, command_of, refusal, served, taken
from tests.process.stations import Station
from tests.waiting import until
from waystation import AsyncAgent
from waystation.answers import Delivered

pytestmark = pytest.mark.client


async def fetched(agent: AsyncAgent, *, within: float = 20) -> Delivered:
    """The next message of this agent."""
    inbox = await agent.station.messages.fetch(agent.id, limit=1, wait_seconds=within)
    (message,) = inbox.messages
    return message


async def loss_told(client: Client) -> str:
    """Look at the inbox until the model is told that it has lost something."""
    deadline = time.monotonic() + 20
    while "Stop working on it." not in (told := await call(client, "bus_inbox")):
        assert time.monotonic() < deadline, told
    return told


def server_of(agent: str) -> psutil.Process:
    """The process of the MCP server of this agent."""

    def find() -> psutil.Process | None:
        children = psutil.Process(os.getpid()).children(recursive=True)
        return next((one for one in children if agent in one.cmdline()), None)

    return until(find, within=10, what=f"the MCP server of {agent}")


def test_a_client_that_closes_stdin_gives_back_what_its_model_held(
    station: Station, named: MakeName
) -> None:
    async def work() -> None:
        async with AsyncAgent(named("bob"), url=station.url) as bob:
            sent = await bob.send(bob.id, "unfinished")
            async with served(station, bob.id) as client:
                assert await taken(client) == [sent.id]
            again = await fetched(bob, within=5)

        assert (again.id, again.attempt) == (sent.id, 1)

    asyncio.run(work())


def test_sigterm_gives_back_what_the_model_held(station: Station, named: MakeName) -> None:
    async def work() -> None:
        async with AsyncAgent(named("bob"), url=station.url) as bob:
            sent = await bob.send(bob.id, "unfinished")
            async with served(station, bob.id) as client:
                await taken(client)
                server_of(bob.id).send_signal(signal.SIGTERM)
                again = await fetched(bob, within=10)

        assert again.id == sent.id

    asyncio.run(work())


def test_a_server_that_is_killed_loses_nothing(station: Station, named: MakeName) -> None:
    async def work() -> None:
        async with AsyncAgent(named("bob"), url=station.url) as bob:
            sent = await bob.send(bob.id, "unfinished")
            async with served(station, bob.id, "--lease", "2s") as client:
                await taken(client)
                server_of(bob.id).kill()
                again = await fetched(bob)

        assert (again.id, again.attempt) == (sent.id, 2)

    asyncio.run(work())


def test_a_held_message_outlives_its_lease_until_it_is_finished(
    station: Station, named: MakeName
) -> None:
    async def work() -> None:
        async with AsyncAgent(named("bob"), url=station.url) as bob:
            sent = await bob.send(bob.id, "long work")
            async with served(station, bob.id, "--lease", "1s") as client:
                await taken(client)
                # Longer than the lease: who else asks meanwhile gets nothing.
                nothing = await bob.station.messages.fetch(bob.id, wait_seconds=3)
                await call(client, "bus_ack", {"ids": [sent.id]})

        assert not nothing.messages

    asyncio.run(work())


def test_what_is_held_for_too_long_comes_back_and_the_model_is_told(
    station: Station, named: MakeName
) -> None:
    async def work() -> None:
        async with AsyncAgent(named("bob"), url=station.url) as bob:
            await bob.send(bob.id, "forgotten")
            async with served(station, bob.id, "--lease", "1s", "--hold", "1s") as client:
                (message_id,) = await taken(client)
                told = await loss_told(client)
                refused = await refusal(client, "bus_ack", {"ids": [message_id]})

        assert f"{message_id} from {bob.id} was held for" in told
        assert "You hold none" in refused

    asyncio.run(work())


def test_a_lease_that_was_lost_is_told(station: Station, named: MakeName) -> None:
    async def work() -> None:
        async with AsyncAgent(named("bob"), url=station.url) as bob:
            await bob.send(bob.id, "slept through")
            async with served(station, bob.id, "--lease", "1s") as client:
                (message_id,) = await taken(client)
                server = server_of(bob.id)
                server.suspend()
                again = await fetched(bob)
                server.resume()
                told = await loss_told(client)
                refused = await refusal(client, "bus_reply", {"id": message_id, "body": "late"})

        assert (again.id, again.attempt) == (message_id, 2)
        assert f"{message_id} from {bob.id} is no longer yours" in told
        assert f"You don't hold {message_id}" in refused

    asyncio.run(work())


def test_who_no_longer_waits_takes_nothing(station: Station, named: MakeName) -> None:
    async def work() -> None:
        async with (
            AsyncAgent(named("bob"), url=station.url) as bob,
            served(station, bob.id) as client,
        ):
            waiting = asyncio.create_task(call(client, "bus_wait", {"max_seconds": 60}))
            await call(client, "bus_inbox")
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            held_by_nobody = await call(client, "bus_inbox")
            sent = await bob.send(bob.id, "for whoever waits")
            again = await fetched(bob)

        assert held_by_nobody.startswith("You hold: nothing")
        assert (again.id, again.attempt) == (sent.id, 1)

    asyncio.run(work())


def test_a_claimable_message_is_claimed_for_the_model_that_is_handed_it(
    station: Station, named: MakeName
) -> None:
    async def work() -> None:
        tag = named("reviewer")
        async with (
            AsyncAgent(named("alice"), url=station.url) as alice,
            AsyncAgent(named("carol"), url=station.url, tags=[tag]) as carol,
            served(station, named("bob")) as client,
        ):
            await call(client, "bus_inbox")
            await alice.station.agents.update(named("bob"), tags=[tag])
            sent = await alice.send(f"tag:{tag}", "review PR 12", claimable=True)
            received = await call(client, "bus_wait", {"max_seconds": 20})
            claim = await alice.station.claims.get(sent.id)
            released = await call(
                client, "bus_more", {"call": "bus_release_claim", "arguments": {"id": sent.id}}
            )
            offered = await fetched(carol)

        assert "claimed for you" in received
        assert claim.agent_id == named("bob")
        assert released == f"{sent.id} is offered to all again"
        assert offered.id == sent.id

    asyncio.run(work())


def test_progress_is_told_while_nothing_comes(station: Station, named: MakeName) -> None:
    async def work() -> None:
        told: list[float] = []

        async def heard(progress: float, total: float | None, message: str | None) -> None:
            told.append(progress)

        async with served(station, named("bob")) as client:
            result = await client.call_tool("bus_wait", {"max_seconds": 6}, progress_callback=heard)

        assert not result.is_error
        assert len(told) >= 1

    asyncio.run(work())


def test_a_station_that_is_away_is_told_as_a_sentence(named: MakeName) -> None:
    async def work() -> None:
        away = Station(process=None, port=1, data_dir=None, output=None)  # type: ignore[arg-type]
        async with Client(command_of(away, named("bob"))) as client:
            told = await refusal(client, "bus_inbox", {})
            tools = await client.list_tools()

        assert "did not answer" in told
        assert tools.tools

    asyncio.run(work())
