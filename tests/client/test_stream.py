"""The loop over pushed messages at a real station: the same contract, and what a drop does."""

import asyncio
import functools
from collections.abc import Iterator

import pytest

from tests.client.conftest import MakeName
from tests.client.test_inbox import again, receipt
from tests.process.stations import Station
from tests.waiting import until
from waystation import Agent, AsyncAgent, AsyncMessage
from waystation.errors import StaleEpochError, UnknownAgentError

pytestmark = pytest.mark.client


@pytest.fixture
def alice(station: Station, named: MakeName) -> Iterator[Agent]:
    with Agent(named("alice"), url=station.url) as agent:
        yield agent


@pytest.fixture
def bob(station: Station, named: MakeName) -> Iterator[Agent]:
    with Agent(named("bob"), url=station.url) as agent:
        yield agent


def cut(agent: AsyncAgent) -> None:
    """Break every connection of an agent, as a network does: without a word."""
    connector = agent.station.transport.session.connector
    assert connector is not None
    for connection in list(connector._acquired):
        assert connection.transport is not None
        connection.transport.abort()


async def lost(message: AsyncMessage) -> None:
    check = functools.partial(getattr, message, "lost")
    await asyncio.to_thread(until, check, within=10, what="the loss is noticed")


def test_pushed_messages_are_acknowledged_by_the_next_step(alice: Agent, bob: Agent) -> None:
    sent = [alice.send(bob.id, str(number)).id for number in range(20)]

    bodies = [message.body for message in bob.stream(limit=20, prefetch=5)]

    assert bodies == [str(number) for number in range(20)]
    assert {receipt(alice, one).status for one in sent} == {"acknowledged"}


def test_an_error_gives_a_pushed_message_back_with_it(alice: Agent, bob: Agent) -> None:
    sent = alice.send(bob.id, "hello", max_attempts=1)

    def fail() -> None:
        with again(bob) as worker:
            for _ in worker.stream():
                raise ValueError("no such branch")

    with pytest.raises(ValueError, match="no such branch"):
        fail()

    assert receipt(alice, sent.id).status == "dead"


def test_what_was_pushed_ahead_is_given_back_and_counts_as_no_attempt(
    alice: Agent, bob: Agent
) -> None:
    for number in range(5):
        alice.send(bob.id, str(number))

    with again(bob) as worker:
        for message in worker.stream(prefetch=10):
            message.ack()
            break

    left = list(bob.inbox(limit=4))
    assert [message.body for message in left] == ["1", "2", "3", "4"]
    assert {message.attempt for message in left} == {1}


def test_a_pushed_question_is_answered_over_the_same_connection(alice: Agent, bob: Agent) -> None:
    ticket = alice.send(bob.id, "is it ready?", expects_reply=True)

    for message in bob.stream(limit=1):
        message.reply({"ready": True})

    found = alice.station.tickets.get(ticket.id)
    assert [(one.agent_id, one.response) for one in found.replies] == [(bob.id, {"ready": True})]


def test_an_exclusive_agent_holds_its_message_through_a_drop(
    station: Station, named: MakeName
) -> None:
    async def talk() -> None:
        async with (
            AsyncAgent(named("alice"), url=station.url) as alice,
            AsyncAgent(named("bob"), url=station.url, exclusive=True) as bob,
        ):
            sent = [(await alice.send(bob.id, text)).id for text in ("one", "two")]
            seen = []
            async for message in bob.stream(limit=2):
                seen.append((message.id, message.attempt))
                if message.body == "one":
                    cut(bob)
            receipts = [(await alice.station.messages.receipts(one))[0] for one in sent]

        assert seen == [(sent[0], 1), (sent[1], 1)]
        assert [(one.status, one.attempts) for one in receipts] == [("acknowledged", 1)] * 2

    asyncio.run(talk())


def test_another_agents_message_comes_again_after_a_drop(station: Station, named: MakeName) -> None:
    async def talk() -> None:
        async with (
            AsyncAgent(named("alice"), url=station.url) as alice,
            AsyncAgent(named("bob"), url=station.url) as bob,
        ):
            sent = await alice.send(bob.id, "one")
            seen = []
            async for message in bob.stream(limit=2):
                seen.append(message.id)
                if len(seen) == 1:
                    cut(bob)
                    await lost(message)
            (receipt,) = await alice.station.messages.receipts(sent.id)

        assert seen == [sent.id, sent.id]
        assert receipt.status == "acknowledged"

    asyncio.run(talk())


def test_a_newer_session_ends_the_loop(station: Station, named: MakeName) -> None:
    async def talk() -> None:
        async with AsyncAgent(named("bob"), url=station.url, exclusive=True) as older:
            await older.send(older.id, "one")
            async for _ in older.stream():
                async with AsyncAgent(older.id, url=station.url, exclusive=True):
                    pass

    with pytest.raises(StaleEpochError):
        asyncio.run(talk())


def test_nobody_streams_for_an_agent_that_is_not_registered(
    station: Station, named: MakeName
) -> None:
    with (
        Agent(named("ghost"), url=station.url, register=False) as ghost,
        pytest.raises(UnknownAgentError),
    ):
        list(ghost.stream(limit=1))
