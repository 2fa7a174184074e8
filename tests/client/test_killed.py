"""Client processes that are killed -9: nothing is lost, nothing is sent twice (SPEC M4, M6, T2)."""

from collections.abc import Iterator

import pytest

from tests.client.conftest import MakeName
from tests.client.processes import line, program
from tests.client.test_inbox import receipt
from tests.process.stations import Station
from tests.waiting import until
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


WORK_ON_ONE = """
    name, url, loop, lease = sys.argv[1:]
    with Agent(name, url=url, register=False) as bob:
        for message in getattr(bob, loop)(lease_seconds=float(lease)):
            say("at work on", message.id)
            sys.stdin.read()
"""


# A killed poller's lease ends; a broken connection is noticed at once, and costs no attempt.
@pytest.mark.parametrize(("loop", "lease", "attempt"), [("inbox", "1", 2), ("stream", "60", 1)])
def test_a_message_that_was_worked_on_when_its_process_was_killed_comes_again(
    *, loop: str, lease: str, attempt: int, station: Station, alice: Agent, bob: Agent
) -> None:
    sent = alice.send(bob.id, "hello")
    with program(WORK_ON_ONE, bob.id, station.url, loop, lease) as worker:
        assert line(worker) == f"at work on {sent.id}"

        worker.kill()

        message = bob.receive(wait_seconds=20)
        assert message is not None
        with message:
            assert (message.id, message.attempt) == (sent.id, attempt)
    assert receipt(alice, sent.id).status == "acknowledged"


WORK_THROUGH = """
    name, url, loop = sys.argv[1:]
    with Agent(name, url=url, register=False) as bob:
        for message in getattr(bob, loop)(lease_seconds=1, prefetch=5):
            say(message.body)
"""


@pytest.mark.parametrize("loop", ["inbox", "stream"])
def test_many_messages_outlive_many_killed_processes(
    loop: str, station: Station, alice: Agent, bob: Agent
) -> None:
    total = 60
    sent = alice.send_many(
        {"to": bob.id, "body": str(number), "max_attempts": 20} for number in range(total)
    )
    seen = set()

    for _ in range(4):
        with program(WORK_THROUGH, bob.id, station.url, loop) as worker:
            for _ in range(8):
                seen.add(line(worker))
            worker.kill()
            while said := line(worker):  # and what it did before the signal arrived
                seen.add(said)
    left = {message.body for message in bob.inbox(idle_seconds=4, prefetch=20)}

    assert seen | left == {str(number) for number in range(total)}
    statuses = {receipt(alice, one.id).status for one in sent}  # type: ignore[union-attr] # all were accepted
    assert statuses == {"acknowledged"}


SEND = """
    name, url, to, key = sys.argv[1:]
    with Agent(name, url=url, register=False) as alice:
        say("ready")
        alice.send(to, "once and for all", idempotency_key=key)
        say("sent")
"""


def test_a_sender_that_was_killed_can_say_it_again(
    station: Station, alice: Agent, bob: Agent
) -> None:
    for number in range(6):
        with program(SEND, alice.id, station.url, bob.id, "the key") as sender:
            assert line(sender) == "ready"
            if number % 2:  # at different moments between asking and being answered
                until(lambda: bob.peek(limit=1), within=10, what="it has arrived")
            sender.kill()

    alice.send(bob.id, "once and for all", idempotency_key="the key")

    assert [message.body for message in bob.inbox(idle_seconds=1)] == ["once and for all"]
