"""Asking and being answered, and sessions of one's own, by clients at a real station."""

import threading
from collections.abc import Iterator

import pytest

from tests.client.conftest import MakeName
from tests.process.stations import Station
from tests.waiting import until
from waystation import Agent, TicketTimeoutError
from waystation.errors import StaleEpochError

pytestmark = pytest.mark.client


@pytest.fixture
def alice(station: Station, named: MakeName) -> Iterator[Agent]:
    with Agent(named("alice"), url=station.url) as agent:
        yield agent


@pytest.fixture
def bob(station: Station, named: MakeName) -> Iterator[Agent]:
    """An agent that answers each question with its words in capitals."""
    with Agent(named("bob"), url=station.url) as agent:

        def answer() -> None:
            for message in agent.inbox():
                message.reply((message.body or "").upper())

        answering = threading.Thread(target=answer)
        answering.start()
        yield agent
        agent.drain()
        answering.join()


def test_a_question_waits_for_its_answer(alice: Agent, bob: Agent) -> None:
    reply = alice.ask(bob.id, "is it ready?", timeout_seconds=30)

    assert (reply.agent_id, reply.response) == (bob.id, "IS IT READY?")


def test_an_answer_that_was_waited_for_does_not_come_again(alice: Agent, bob: Agent) -> None:
    for number in range(3):
        alice.ask(bob.id, str(number), timeout_seconds=30)

    assert alice.receive(wait_seconds=0.5) is None


def test_answers_do_not_pile_up_in_the_inbox_of_who_only_asks(
    station: Station, alice: Agent, bob: Agent
) -> None:
    with Agent(alice.id, url=station.url) as asker:
        for number in range(10):
            asker.ask(bob.id, str(number), timeout_seconds=30)

    assert len(alice.peek(limit=20)) <= 2  # those that had hardly arrived


def test_nobody_waits_longer_than_the_question_stands(
    station: Station, named: MakeName, alice: Agent
) -> None:
    with (
        Agent(named("silent"), url=station.url) as silent,
        pytest.raises(TicketTimeoutError) as late,
    ):
        alice.ask(silent.id, "hello?", timeout_seconds=1)

    assert alice.station.tickets.get(late.value.ticket_id).status == "timeout"


def test_an_older_session_can_do_nothing_any_more(station: Station, named: MakeName) -> None:
    name = named("carol")
    with (
        Agent(name, url=station.url, exclusive=True) as older,
        Agent(name, url=station.url, exclusive=True) as newer,
    ):
        assert (older.epoch, newer.epoch) == (1, 2)
        with pytest.raises(StaleEpochError):
            older.send(name, "I am still here")
        newer.send(name, "so am I")
        with pytest.raises(StaleEpochError):
            older.receive()
        assert [message.body for message in newer.inbox(limit=1)] == ["so am I"]


def test_a_heartbeat_shows_that_an_idle_agent_is_there(station: Station, named: MakeName) -> None:
    with Agent(named("dora"), url=station.url, heartbeat_seconds=0.1) as dora:
        before = dora.station.agents.get(dora.id).last_seen
        assert before is not None

        def seen_since() -> bool:
            now = dora.station.agents.get(dora.id).last_seen
            return now is not None and now > before

        until(seen_since, within=10, what="a sign of life")


def test_a_superseded_session_ends_its_waiting_loop(station: Station, named: MakeName) -> None:
    name = named("erin")
    with Agent(name, url=station.url, exclusive=True, heartbeat_seconds=0.1) as older:
        raised: list[Exception] = []

        def wait() -> None:
            try:
                list(older.inbox())
            except StaleEpochError as error:
                raised.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        with Agent(name, url=station.url, exclusive=True):
            waiting.join(20)

    assert raised
