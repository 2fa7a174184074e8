"""What a holder still has on lease: `held.lua`, by which a dropped consumer resumes (SPEC T2)."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from broker.kernel.errors import StaleEpochError, UnknownAgentError
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.delivery import Acknowledgement, Wanted
from broker.messaging.message import Draft
from broker.wiring import Broker
from tests.conftest import MakeBroker
from tests.waiting import until

BOB = AgentId("bob")


def send(broker: Broker, *bodies: str, priority: int = 5) -> list[MessageId]:
    ids = [
        broker.queue.send(
            Draft(sender=AgentId("alice"), to=(BOB,), body=body, priority=priority)
        ).id
        for body in bodies
    ]
    broker.router.drain()
    return ids


@pytest.fixture
def station(broker: Broker) -> Broker:
    broker.agents.register(BOB, {}, instance_id="one")
    return broker


def test_a_holder_finds_its_leases_with_the_tokens_it_got(station: Broker) -> None:
    send(station, "1", "2", "3")
    leased = station.inboxes.lease(BOB, Wanted(limit=2), holder="one", epoch=1)

    held = station.inboxes.held(BOB, "one", epoch=1)

    assert held == leased


def test_what_is_held_comes_in_the_order_of_the_inbox_not_of_the_leases(station: Broker) -> None:
    send(station, "low", priority=1)
    station.inboxes.lease(BOB, Wanted(), holder="one", lease_ms=5_000)
    send(station, "high", priority=8)
    station.inboxes.lease(BOB, Wanted(), holder="one", lease_ms=50_000)

    held = station.inboxes.held(BOB, "one")

    assert [one.message.body for one in held] == ["high", "low"]


def test_leases_of_others_and_finished_ones_are_not_held(station: Broker) -> None:
    send(station, "mine", "another's", "done")
    mine, _another, done = (
        station.inboxes.lease(BOB, Wanted(limit=1), holder=holder)[0]
        for holder in ("one", "two", "one")
    )
    assert done.lease is not None
    station.inboxes.acknowledge(BOB, done.message.id, done.lease.token)

    assert station.inboxes.held(BOB, "one") == [mine]


def test_an_ended_lease_is_not_held_even_before_a_sweep(station: Broker) -> None:
    send(station, "1")
    station.inboxes.lease(BOB, Wanted(), holder="one", lease_ms=1)

    until(lambda: station.inboxes.held(BOB, "one") == [], within=5, what="the lease ends")


def test_a_superseded_session_and_an_unknown_agent_are_refused(station: Broker) -> None:
    station.agents.register(BOB, {}, instance_id="two")

    with pytest.raises(StaleEpochError):
        station.inboxes.held(BOB, "one", epoch=1)
    with pytest.raises(UnknownAgentError):
        station.inboxes.held(AgentId("nobody"), "one")


def test_raced_by_acknowledgements_it_never_lists_what_is_already_finished(
    make_broker: MakeBroker,
) -> None:
    first, second = make_broker(), make_broker()
    first.agents.register(BOB, {})
    send(first, *(str(number) for number in range(100)))
    leased = first.inboxes.lease(BOB, Wanted(limit=100), holder="one")
    finished: set[MessageId] = set()
    over = threading.Event()

    def acknowledge() -> None:
        for one in leased:
            assert one.lease is not None
            first.inboxes.acknowledge(BOB, one.message.id, one.lease.token)
            finished.add(one.message.id)
        over.set()

    def look() -> int:
        looks = 0
        while not over.is_set():
            known = set(finished)
            held = {one.message.id for one in second.inboxes.held(BOB, "one")}
            assert not held & known
            looks += 1
        return looks

    with ThreadPoolExecutor(2) as pool:
        acknowledging, looking = pool.submit(acknowledge), pool.submit(look)
        acknowledging.result()
        assert looking.result() > 0

    assert second.inboxes.held(BOB, "one") == []


def test_raced_by_a_return_each_lease_is_either_held_or_back_in_the_inbox(
    make_broker: MakeBroker,
) -> None:
    first, second = make_broker(), make_broker()
    first.agents.register(BOB, {})
    send(first, *(str(number) for number in range(50)))
    leased = first.inboxes.lease(BOB, Wanted(limit=50), holder="one")

    with ThreadPoolExecutor(2) as pool:
        given_back = pool.submit(
            first.inboxes.give_back,
            BOB,
            [
                Acknowledgement(message_id=one.message.id, token=one.lease.token)
                for one in leased
                if one.lease is not None
            ],
        )
        seen = pool.submit(second.inboxes.held, BOB, "one").result()

    assert given_back.result() == 50
    assert len(seen) in (0, 50)
    assert second.inboxes.held(BOB, "one") == []
    again = second.inboxes.lease(BOB, Wanted(limit=100))
    assert [one.attempt for one in again] == [1] * 50
