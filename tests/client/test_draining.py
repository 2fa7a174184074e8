"""SIGTERM: a loop ends after the message that is worked on, and nothing stays leased."""

import signal
from collections.abc import Iterator

import pytest

from tests.client.conftest import MakeName
from tests.client.processes import line, program
from tests.client.test_inbox import receipt
from tests.process.stations import Station
from waystation import Agent

pytestmark = pytest.mark.client


@pytest.fixture
def alice(station: Station, named: MakeName) -> Iterator[Agent]:
    with Agent(named("alice"), url=station.url) as agent:
        yield agent


@pytest.fixture
def bob(station: Station, named: MakeName) -> Iterator[Agent]:
    with Agent(named("bob"), url=station.url) as agent:
        yield agent


BLOCKING = """
    name, url, loop = sys.argv[1:]
    with Agent(name, url=url, register=False) as bob:
        say("ready")
        for message in getattr(bob, loop)(prefetch=5):
            say("at work on", message.body)
            sys.stdin.readline()
    say("ended")
"""
ASYNCHRONOUS = """
    import asyncio
    from waystation import AsyncAgent

    async def work(name, url, loop):
        async with AsyncAgent(name, url=url, register=False) as bob:
            say("ready")
            async for message in getattr(bob, loop)(prefetch=5):
                say("at work on", message.body)
                await asyncio.to_thread(sys.stdin.readline)
        say("ended")

    asyncio.run(work(*sys.argv[1:]))
"""
HANDLERS = """
    name, url, _ = sys.argv[1:]

    def handle(message):
        say("at work on", message.body)
        sys.stdin.readline()

    with Agent(name, url=url, register=False) as bob:
        say("ready")
        bob.run(handle)
    say("ended")
"""


@pytest.mark.parametrize(
    ("source", "loop"),
    [
        (BLOCKING, "inbox"),
        (BLOCKING, "stream"),
        (ASYNCHRONOUS, "inbox"),
        (ASYNCHRONOUS, "stream"),
        (HANDLERS, "run"),
    ],
)
def test_the_loop_ends_after_the_current_message(
    source: str, loop: str, station: Station, alice: Agent, bob: Agent
) -> None:
    sent = [alice.send(bob.id, text).id for text in ("one", "two", "three")]
    with program(source, bob.id, station.url, loop) as worker:
        assert line(worker) == "ready"
        assert line(worker) == "at work on one"

        worker.send_signal(signal.SIGTERM)
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()

        assert line(worker) == "ended"
        assert worker.wait(10) == 0
    assert receipt(alice, sent[0]).status == "acknowledged"
    assert [message.id for message in bob.inbox(limit=2)] == sent[1:]


@pytest.mark.parametrize("source", [BLOCKING, ASYNCHRONOUS, HANDLERS])
def test_a_loop_that_waits_ends_at_once(source: str, station: Station, bob: Agent) -> None:
    with program(source, bob.id, station.url, "inbox") as worker:
        assert line(worker) == "ready"

        worker.send_signal(signal.SIGTERM)

        # Sent before the loop has begun, it ends the process as it would any.
        assert worker.wait(10) in {0, -signal.SIGTERM}


HEARING = """
    import signal, time

    name, url = sys.argv[1:]
    with Agent(name, url=url, register=False) as bob:
        for message in bob.inbox():
            say("at work")
            while signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
                time.sleep(0.01)
            say("heard")
            sys.stdin.readline()
"""


def test_a_second_signal_ends_the_process(station: Station, alice: Agent, bob: Agent) -> None:
    alice.send(bob.id, "one")
    with program(HEARING, bob.id, station.url) as worker:
        assert line(worker) == "at work"

        worker.send_signal(signal.SIGTERM)
        assert line(worker) == "heard"
        worker.send_signal(signal.SIGTERM)

        assert worker.wait(10) == -signal.SIGTERM


OWN_HANDLER = """
    import signal

    name, url = sys.argv[1:]
    signal.signal(signal.SIGTERM, lambda *_: (say("mine"), bob.drain()))
    with Agent(name, url=url, register=False) as bob:
        for message in bob.inbox():
            say("at work")
            sys.stdin.readline()
    say("ended")
"""


def test_a_program_that_handles_the_signal_drains_by_itself(
    station: Station, alice: Agent, bob: Agent
) -> None:
    sent = alice.send(bob.id, "one")
    with program(OWN_HANDLER, bob.id, station.url) as worker:
        assert line(worker) == "at work"

        worker.send_signal(signal.SIGTERM)
        assert line(worker) == "mine"
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()

        assert line(worker) == "ended"
    assert receipt(alice, sent.id).status == "acknowledged"
