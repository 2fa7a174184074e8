"""Sending from many places at once: fewer requests, and each call hears of its own message."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.client.conftest import MakeName
from tests.process.stations import Station
from tests.waiting import until
from waystation import Agent, AsyncAgent, ProblemError
from waystation.answers import Accepted
from waystation.errors import InboxFullError, InvalidFieldsError, UnknownAgentError
from waystation.transport import Call, Retrying

pytestmark = pytest.mark.client


@pytest.fixture
def alice(station: Station, named: MakeName) -> Iterator[Agent]:
    with Agent(named("alice"), url=station.url) as agent:
        yield agent


@pytest.fixture
def bob(station: Station, named: MakeName) -> Iterator[Agent]:
    with Agent(named("bob"), url=station.url) as agent:
        yield agent


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, alice: Agent) -> list[str]:
    """What is asked of the station for alice, as it comes."""
    paths: list[str] = []
    transport = alice._core.station.transport
    once = transport._once

    async def noted(call: Call) -> bytes:
        paths.append(call.path)
        return await once(call)

    monkeypatch.setattr(transport, "_once", noted)
    return paths


def test_threads_that_send_at_the_same_time_share_requests(
    alice: Agent, bob: Agent, asked: list[str]
) -> None:
    with ThreadPoolExecutor(16) as threads:
        sent = list(threads.map(lambda number: alice.send(bob.id, str(number)), range(200)))

    assert len({one.id for one in sent}) == 200
    assert all(one.created and one.thread_id for one in sent)
    assert len(asked) < 100
    bodies = {message.body for message in bob.inbox(limit=200, prefetch=100)}
    assert bodies == {str(number) for number in range(200)}


def test_one_that_sends_alone_is_not_kept_waiting(
    alice: Agent, bob: Agent, asked: list[str]
) -> None:
    alice.send(bob.id, "one")
    alice.send(bob.id, "two")

    assert asked == ["/messages", "/messages"]


def test_each_is_refused_for_what_is_wrong_with_it_alone(station: Station, named: MakeName) -> None:
    async def talk() -> None:
        async with AsyncAgent(named("alice"), url=station.url) as alice:
            good, nobody, bad = await asyncio.gather(
                alice.send(alice.id, "to myself"),
                alice.send(named("nobody"), "hello?"),
                alice.send(alice.id, "very", priority=99),
                return_exceptions=True,
            )
        assert isinstance(good, Accepted)
        assert isinstance(nobody, UnknownAgentError)
        assert isinstance(bad, InvalidFieldsError)
        assert [one.field for one in bad.fields] == ["priority"]

    asyncio.run(talk())


def test_any_number_is_sent_in_order_and_answered_in_order(
    alice: Agent, bob: Agent, named: MakeName, asked: list[str]
) -> None:
    drafts = [{"to": bob.id, "body": str(number)} for number in range(1500)]
    drafts[700] = {"to": named("nobody"), "body": "?"}

    outcomes = alice.send_many(drafts)

    assert len(outcomes) == 1500
    (refused,) = [one for one in outcomes if isinstance(one, ProblemError)]
    assert outcomes[700] is refused
    assert isinstance(refused, UnknownAgentError)
    assert asked == ["/messages/batch"] * 2
    bodies = [message.body for message in bob.inbox(limit=1499, prefetch=500)]
    assert bodies == [str(number) for number in range(1500) if number != 700]


def test_the_same_key_is_one_message_though_sent_together(alice: Agent, bob: Agent) -> None:
    draft = {"to": bob.id, "body": "once", "idempotency_key": "k"}

    first, second = alice.send_many([draft, draft])

    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert (first.created, second.created) == (True, False)
    assert first.id == second.id


def test_a_full_inbox_holds_up_its_own_messages_only(
    station: Station, named: MakeName, bob: Agent
) -> None:
    with (
        Agent(named("tiny"), url=station.url, queue_max_depth=1, on_full="reject") as tiny,
        Agent(named("carol"), url=station.url, retrying=Retrying(seconds=20)) as carol,
    ):
        carol.send(tiny.id, "first")
        later: list[Accepted] = []
        waiting = threading.Thread(target=lambda: later.append(carol.send(tiny.id, "second")))
        waiting.start()

        assert carol.send(bob.id, "meanwhile").created
        assert not later

        assert [message.body for message in tiny.inbox(limit=1)] == ["first"]
        until(lambda: later, within=15, what="the second was taken")
        waiting.join()
    with (
        Agent(carol.id, url=station.url, retrying=Retrying(seconds=0)) as hasty,
        pytest.raises(InboxFullError),
    ):
        hasty.send(tiny.id, "third")
