"""Every tool that is not listed by itself, once, at a real station."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.client.conftest import MakeName
from tests.client.mcp_clients import call, served, taken
from tests.process.stations import Station
from waystation import AsyncAgent
from waystation.mcp.tools import GROUPS

pytestmark = pytest.mark.client

Use = Callable[..., Awaitable[str]]


async def with_every_tool(use: Use, alice: AsyncAgent, bob: str, name: MakeName) -> None:
    """Use each tool as bob, and see that it did what it says."""
    await _sending(use, alice, bob)
    await _channels(use, alice, bob, name("release"))
    await _direct(use, alice, bob)
    await _claims(use, alice, bob)
    await _dead_letters(use, alice, bob)
    await _recurring(use, alice)
    await _status(use, alice, bob)


def _id(text: str, prefix: str = "msg") -> str:
    found = re.search(rf"{prefix}_[0-9A-Z]+", text)
    assert found, text
    return found[0]


async def _eventually(use: Use, tool: str, expected: str, **arguments: Any) -> None:
    """Routing takes a moment: look until it is there."""
    deadline = time.monotonic() + 20
    while expected not in (seen := await use(tool, **arguments)):
        assert time.monotonic() < deadline, seen


async def _sending(use: Use, alice: AsyncAgent, bob: str) -> None:
    sent = _id(await use("bus_send_multi", recipients=[alice.id, bob], body="to both"))
    found = await use("bus_find_messages", sender=bob)
    assert sent in found
    assert '"to both"' in found
    await use("bus_broadcast", body="to all")


async def _channels(use: Use, alice: AsyncAgent, bob: str, channel: str) -> None:
    await use("bus_create_channel", id=channel, topic="the next release")
    assert "the next release" in await use("bus_list_channels", mine=True)
    await use("bus_invite_to_channel", id=channel, agent=alice.id)
    members = await use("bus_list_channel_members", id=channel)
    assert set(members.splitlines()) == {alice.id, bob}
    await alice.send(f"channel:{channel}", "ship it")
    await _eventually(use, "bus_get_channel_history", "\nship it\n", id=channel)
    other = f"{channel}-2"
    await alice.station.channels.create(other, owner=alice.id)
    assert await use("bus_join_channel", id=other) == f"you are in channel:{other}, one of 2"
    assert await use("bus_leave_channel", id=other) == f"you left channel:{other}"


async def _direct(use: Use, alice: AsyncAgent, bob: str) -> None:
    await use("bus_send_dm", to=alice.id, body="between us")
    await alice.station.direct_messages.send(alice.id, bob, "yes?")
    await _eventually(use, "bus_list_dm_conversations", alice.id)
    await _eventually(use, "bus_get_dm_history", "yes?", agent=alice.id)


async def _claims(use: Use, alice: AsyncAgent, bob: str) -> None:
    sent = await alice.send([bob, alice.id], "for one of you", claimable=True)
    await _eventually(use, "bus_inbox", sent.id, limit=20)
    assert "\nfor one of you\n" in await use("bus_claim", id=sent.id)
    assert f"status claimed, by {bob}" in await use("bus_get_claim", id=sent.id)
    await use("bus_release_claim", id=sent.id)


async def _dead_letters(use: Use, alice: AsyncAgent, bob: str) -> None:
    for ending in ("bus_retry_dead_letter", "bus_resolve_dead_letter"):
        sent = await alice.send(bob, "impossible", priority="urgent")
        await _eventually(use, "bus_wait", sent.id, limit=20, max_seconds=5)
        await use("bus_nack", id=sent.id, reason="no such branch", permanent=True)
        letters = await use("bus_get_dead_letters", agent=bob, status="open")
        assert sent.id in letters
        assert "no such branch" in letters
        arguments = {"resolution": "made the branch"} if "resolve" in ending else {}
        await use(ending, id=_id(letters, "dlq"), **arguments)


async def _recurring(use: Use, alice: AsyncAgent) -> None:
    created = await use(
        "bus_create_recurring", to=alice.id, body="stand-up", schedule="0 9 * * 1-5"
    )
    recurring = _id(created, "rec")
    assert recurring in await use("bus_list_recurring")
    assert "status paused" in await use("bus_pause_recurring", id=recurring)
    assert "status active" in await use("bus_resume_recurring", id=recurring)
    assert await use("bus_get_recurring_history", id=recurring) == "Nothing."
    assert "status cancelled" in await use("bus_cancel_recurring", id=recurring)


async def _status(use: Use, alice: AsyncAgent, bob: str) -> None:
    sent = _id(await use("bus_send", to=alice.id, body="hello"))
    await _eventually(use, "bus_get_delivery_status", alice.id, id=sent)
    cancelled = _id(await use("bus_send", to=alice.id, body="not after all"))
    assert "cancelled" in await use("bus_cancel_message", id=cancelled)
    await alice.station.tickets.ask(alice.id, bob, "ready?")
    await _eventually(use, "bus_list_pending_questions", '"ready?"')
    assert (await use("bus_get_health_status")).startswith("score ")
    await use("bus_get_health_history")
    changed = await use("bus_set_health_threshold", name="warning_score", value=61)
    assert "warning_score 61" in changed
    assert "Deepest inboxes" in await use("bus_get_stats")


def test_every_tool_that_is_not_listed_does_what_it_says(station: Station, named: MakeName) -> None:
    used: set[str] = set()

    async def work() -> None:
        bob = named("bob")
        async with (
            AsyncAgent(named("alice"), url=station.url) as alice,
            served(station, bob) as client,
        ):
            await call(client, "bus_inbox")

            async def use(tool: str, **arguments: Any) -> str:
                used.add(tool)
                return await call(client, "bus_more", {"call": tool, "arguments": arguments})

            await with_every_tool(use, alice, bob, named)

    asyncio.run(work())

    assert {tool.name for group in GROUPS.values() for tool in group} <= used


def test_reading_a_thread_shows_it_in_order(station: Station, named: MakeName) -> None:
    async def work() -> None:
        bob = named("bob")
        async with (
            AsyncAgent(named("alice"), url=station.url) as alice,
            served(station, bob) as client,
        ):
            sent = await alice.send(bob, "first", hold_for_unknown=True)
            await taken(client)
            await call(client, "bus_reply", {"id": sent.id, "body": "second"})
            by_message = await call(client, "bus_read", {"id": sent.id, "part": "thread"})
            receipts = await call(client, "bus_read", {"id": sent.id, "part": "receipts"})
            agents = await call(client, "bus_agents", {"status": "online", "limit": 100})

        assert by_message.index("\nfirst\n") < by_message.index("\nsecond\n")
        assert receipts.startswith(f"{bob}, status ")
        assert f"{bob} (you), status online" in agents

    asyncio.run(work())
