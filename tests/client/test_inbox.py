"""The loop over an inbox at a real station: what finishes a message, and what gives it back."""

import asyncio
import gc
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from tests.client.conftest import MakeName
from tests.process.stations import Station
from tests.waiting import until
from waystation import Agent, AsyncAgent
from waystation.answers import Receipt
from waystation.errors import StaleLeaseError

pytestmark = pytest.mark.client


@pytest.fixture
def alice(station: Station, named: MakeName) -> Iterator[Agent]:
    with Agent(named("alice"), url=station.url) as agent:
        yield agent


@pytest.fixture
def bob(station: Station, named: MakeName) -> Iterator[Agent]:
    """Known to the station, so that messages may be sent to it."""
    with Agent(named("bob"), url=station.url) as agent:
        yield agent


def again(agent: Agent, **about: Any) -> Agent:
    """Another process of the same agent, as it were."""
    return Agent(agent.id, url=agent.station.configuration.url, register=False, **about)


def receipt(sender: Agent, message_id: str) -> Receipt:
    (one,) = sender.station.messages.receipts(message_id)
    return one


def fail(worker: Agent, error: BaseException) -> None:
    """Meet an error at work on a message."""
    with worker:
        for _ in worker.inbox():
            raise error


async def fail_async(worker: AsyncAgent) -> None:
    async with worker:
        async for _ in worker.inbox():
            raise ValueError("no such branch")


def test_the_next_step_acknowledges_the_message_before(alice: Agent, bob: Agent) -> None:
    sent = [alice.send(bob.id, text).id for text in ("one", "two", "three")]

    seen = []
    for message in bob.inbox(limit=3):
        seen.append(message.body)
        if len(seen) == 2:
            assert receipt(alice, sent[0]).status == "acknowledged"
            assert receipt(alice, sent[1]).status == "leased"

    assert seen == ["one", "two", "three"]
    assert [receipt(alice, one).status for one in sent] == ["acknowledged"] * 3


def test_the_loop_ends_when_nothing_came_for_a_while(alice: Agent, bob: Agent) -> None:
    sent = alice.send(bob.id, "hello")

    assert [message.body for message in bob.inbox(idle_seconds=0.2)] == ["hello"]
    assert receipt(alice, sent.id).status == "acknowledged"


def test_an_exception_gives_the_message_back_with_the_error(alice: Agent, bob: Agent) -> None:
    sent = alice.send(bob.id, "hello", max_attempts=1)

    with pytest.raises(ValueError, match="no such branch"):
        fail(again(bob), ValueError("no such branch"))

    (letter,) = alice.station.dead_letters.list(agent=bob.id).dead_letters
    assert letter.message is not None
    assert (letter.message.id, letter.last_error) == (sent.id, "ValueError: no such branch")


def test_a_loop_that_was_left_gives_the_message_back_and_says_so(
    alice: Agent, bob: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    sent = alice.send(bob.id, "hello")

    with caplog.at_level(logging.WARNING, "waystation"):
        for _ in bob.inbox():
            break
        gc.collect()
        message = bob.receive(wait_seconds=10)

    assert message is not None
    assert (message.id, message.attempt) == (sent.id, 2)
    assert "is given back, because the loop was left" in caplog.text


def test_what_was_finished_by_hand_stays_so_when_the_loop_is_left(alice: Agent, bob: Agent) -> None:
    sent = alice.send(bob.id, "hello")

    with again(bob) as worker:
        for message in worker.inbox():
            message.ack()
            break

    assert receipt(alice, sent.id).status == "acknowledged"


def test_what_was_leased_ahead_and_not_begun_comes_again_untouched(
    alice: Agent, bob: Agent
) -> None:
    sent = [alice.send(bob.id, str(number)).id for number in range(5)]
    until(lambda: len(bob.peek(limit=10)) == 5, within=10, what="all are routed")

    with again(bob) as worker:
        for message in worker.inbox(prefetch=10):
            if message.body == "1":
                message.ack()
                break

    assert [receipt(alice, one).status for one in sent[:2]] == ["acknowledged"] * 2
    left = list(bob.inbox(limit=3))
    assert [message.id for message in left] == sent[2:]
    assert {message.attempt for message in left} == {1}, "nobody had tried"


def test_an_interruption_is_not_an_error_of_the_message(alice: Agent, bob: Agent) -> None:
    sent = alice.send(bob.id, "hello", max_attempts=5)

    with pytest.raises(KeyboardInterrupt):
        fail(again(bob), KeyboardInterrupt())

    message = bob.receive(wait_seconds=10)  # at once, not after a backoff
    assert message is not None
    assert message.id == sent.id


def test_the_lease_is_extended_while_the_callers_code_blocks(alice: Agent, bob: Agent) -> None:
    sent = alice.send(bob.id, "hello")

    with again(bob) as other:
        for message in bob.inbox(limit=1, lease_seconds=2):
            # Another consumer waits for longer than the lease, and gets nothing.
            assert other.receive(wait_seconds=3.5) is None
            assert not message.lost

    assert receipt(alice, sent.id).status == "acknowledged"
    assert receipt(alice, sent.id).attempts == 1


def test_a_message_is_a_context_of_its_own(alice: Agent, bob: Agent) -> None:
    done, failed = (alice.send(bob.id, text, max_attempts=1).id for text in ("good", "bad"))

    message = bob.receive()
    assert message is not None
    with message:
        assert message.body == "good"
    other = bob.receive()
    assert other is not None
    with pytest.raises(RuntimeError), other:
        raise RuntimeError("broken")

    assert receipt(alice, done).status == "acknowledged"
    assert receipt(alice, failed).status == "dead"


def test_who_was_too_late_learns_it_and_nothing_else_breaks(alice: Agent, bob: Agent) -> None:
    alice.send(bob.id, "hello")
    late = bob.receive(lease_seconds=1)
    assert late is not None
    with again(bob) as other:
        won = other.receive(wait_seconds=10)
        assert won is not None
        won.ack()

    with pytest.raises(StaleLeaseError):
        late.ack()
    assert late.lost

    with late:  # leaves it alone
        pass


def test_a_lease_that_is_over_is_noticed_while_the_work_goes_on(alice: Agent, bob: Agent) -> None:
    alice.send(bob.id, "hello")
    message = bob.receive(lease_seconds=2)
    assert message is not None
    token = message.lease.token if message.lease else ""
    alice.station.messages.ack(message.id, agent_id=bob.id, lease_token=token)

    with message:
        until(lambda: message.lost, within=5, what="the loss is noticed")


def test_a_handler_that_fails_holds_up_nobody(alice: Agent, bob: Agent) -> None:
    sent = [alice.send(bob.id, text, max_attempts=1).id for text in ("a", "bad", "c", "d")]

    def handle(message: Any) -> None:
        if message.body == "bad":
            raise ValueError("bad indeed")

    bob.run(handle, concurrency=2, idle_seconds=0.5)

    assert [receipt(alice, one).status for one in sent] == [
        "acknowledged",
        "dead",
        "acknowledged",
        "acknowledged",
    ]


def test_what_is_offered_to_several_is_claimed_by_one(
    station: Station, named: MakeName, alice: Agent
) -> None:
    pool = named("pool")
    with (
        Agent(named("carol"), url=station.url, label=pool) as carol,
        Agent(named("dora"), url=station.url, label=pool) as dora,
    ):
        sent = alice.send(f"label:{pool}", "who has time?", claimable=True)

        taken = [message.id for message in carol.inbox(limit=1)]
        left = [message.id for message in dora.inbox(idle_seconds=0.5)]

    assert (taken, left) == ([sent.id], [])


def test_the_asynchronous_loop_is_the_same(station: Station, named: MakeName) -> None:
    async def work() -> None:
        async with AsyncAgent(named("alice"), url=station.url) as alice:
            async with AsyncAgent(named("bob"), url=station.url) as bob:
                sent = [(await alice.send(bob.id, text, max_attempts=1)).id for text in "abc"]
                assert [message.body async for message in bob.inbox(limit=1)] == ["a"]
            with pytest.raises(ValueError, match="no such branch"):
                await fail_async(AsyncAgent(bob.id, url=station.url))
            statuses = [(await alice.station.messages.receipts(one))[0].status for one in sent]
            assert statuses == ["acknowledged", "dead", "queued"]

    asyncio.run(work())


def test_the_shortest_wait_is_said_as_the_station_reads_it(bob: Agent) -> None:
    assert bob.receive(wait_seconds=0) is None
    assert bob.station.messages.fetch(bob.id, wait_seconds=0.00005).messages == []
