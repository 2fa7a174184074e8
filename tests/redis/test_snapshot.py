"""What is measured, held against a scripted history."""

import pytest

from broker.kernel.clock import system_clock
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId
from broker.messaging.dead_letters import DeadLetterFilter
from broker.messaging.delivery import Acknowledgement, Delivered, Wanted
from broker.messaging.message import Draft
from broker.operations.measurements import Snapshot
from broker.operations.store import OperationsStore, PresencePolicy
from broker.wiring import Broker
from tests.conftest import MakeBroker
from tests.waiting import until

pytestmark = pytest.mark.redis

BOB, EVE = AgentId("bob"), AgentId("eve")


def snapshot(broker: Broker) -> Snapshot:
    return broker.stats.overview().snapshot


def send(broker: Broker, count: int = 1, *, to: AgentId = BOB, **fields: int | bool) -> None:
    draft = Draft(sender=AgentId("alice"), to=(to,), body="x", **fields)  # type: ignore[arg-type]
    broker.queue.send_many([draft] * count)


def lease(broker: Broker, limit: int, agent: AgentId = BOB) -> list[Delivered]:
    return broker.inboxes.lease(agent, Wanted(limit=limit))


def acknowledge(broker: Broker, delivered: Delivered, agent: AgentId = BOB) -> None:
    assert delivered.lease
    broker.inboxes.acknowledge(agent, delivered.message.id, delivered.lease.token)


def test_a_fresh_station_holds_nothing(broker: Broker) -> None:
    fresh = snapshot(broker)

    assert set(fresh.states.values()) == {0}
    assert fresh.inboxes == ()
    assert fresh.depth == 0
    assert fresh.fullness == 0
    assert fresh.oldest_accepted_at is None
    assert fresh.oldest_queued_at is None
    assert fresh.agents.registered == 0
    assert fresh.latency.count == 0


def test_every_state_is_counted(broker: Broker) -> None:
    broker.agents.register(BOB, {})
    send(broker, 10)
    broker.router.drain()
    first, second, third, *_ = lease(broker, 4)
    acknowledge(broker, first)
    assert second.lease
    assert third.lease
    broker.inboxes.reject(BOB, second.message.id, second.lease.token, reason="no", delay_ms=60_000)
    broker.inboxes.reject(BOB, third.message.id, third.lease.token, reason="no", permanent=True)
    send(broker, 3)
    send(broker, 2, delay_ms=60_000)

    states = snapshot(broker).states

    assert {state: count for state, count in states.items() if count} == {
        DeliveryState.ACCEPTED: 3,
        DeliveryState.DELAYED: 2,
        DeliveryState.QUEUED: 6,
        DeliveryState.LEASED: 1,
        DeliveryState.WAITING: 1,
        DeliveryState.ACKNOWLEDGED: 1,
        DeliveryState.DEAD: 1,
    }
    assert snapshot(broker).dead_letters == 1
    assert snapshot(broker).latency.count == 4


def test_a_dead_letter_that_is_resolved_or_retried_is_no_longer_dead(broker: Broker) -> None:
    broker.agents.register(BOB, {})
    send(broker, 2)
    broker.router.drain()
    for delivered in lease(broker, 2):
        assert delivered.lease
        broker.inboxes.reject(
            BOB, delivered.message.id, delivered.lease.token, reason="no", permanent=True
        )
    first, second = broker.dead_letters.find(DeadLetterFilter(), limit=10)[0]

    broker.dead_letters.retry(first.id)
    broker.dead_letters.resolve(second.id, "not needed")

    states = snapshot(broker).states
    assert states[DeliveryState.DEAD] == 0
    assert states[DeliveryState.RESOLVED] == 1
    assert states[DeliveryState.QUEUED] == 1


def test_withdrawn_messages_are_counted_routed_or_not(broker: Broker) -> None:
    broker.agents.register(BOB, {})
    alice = AgentId("alice")
    routed = broker.queue.send(Draft(sender=alice, to=(BOB,), body="x")).id
    broker.router.drain()
    unrouted = broker.queue.send(Draft(sender=alice, to=(BOB,), body="x")).id
    broker.queue.send(Draft(sender=alice, to=(BOB,), body="y", supersedes=unrouted))
    broker.withdrawals.cancel(routed)
    broker.withdrawals.cancel(
        broker.queue.send(Draft(sender=alice, to=(BOB,), body="z", delay_ms=60_000)).id
    )

    states = snapshot(broker).states

    assert states[DeliveryState.CANCELLED] == 2
    assert states[DeliveryState.SUPERSEDED] == 1


def test_inboxes_are_listed_deepest_first_with_their_limits(make_broker: MakeBroker) -> None:
    broker = make_broker(queue_max_depth=100)
    broker.agents.register(BOB, {})
    broker.agents.register(EVE, {})
    send(broker, 5)
    send(broker, 20, to=EVE)
    send(broker, 1, to=AgentId("later"), hold_for_unknown=True)
    broker.router.drain()
    lease(broker, 2)

    measured = snapshot(broker)

    assert [(inbox.agent_id, inbox.depth) for inbox in measured.inboxes] == [
        ("eve", 20),
        ("bob", 5),
        ("later", 1),
    ]
    assert measured.depth == 26
    assert measured.fullness == 0.2


def test_the_oldest_is_found_behind_higher_priorities(broker: Broker) -> None:
    broker.agents.register(BOB, {})
    alice = AgentId("alice")
    oldest = broker.queue.send(Draft(sender=alice, to=(BOB,), body="x", priority=0)).accepted_at
    until(lambda: system_clock() > oldest, within=1, what="the clock goes on")
    send(broker, 3, priority=9)

    before = snapshot(broker)
    broker.router.drain()
    after = snapshot(broker)

    assert before.oldest_accepted_at == oldest
    assert before.oldest_queued_at is None
    assert after.oldest_accepted_at is None
    assert after.oldest_queued_at == oldest
    assert (after.age_ms(oldest) or 0) >= 1


def test_a_delayed_message_ages_from_its_delivery_time(broker: Broker) -> None:
    broker.agents.register(BOB, {})
    due_at = system_clock() + 50
    send(broker, 1, deliver_at=due_at)

    until(
        lambda: broker.router.sweep() or broker.router.drain() or snapshot(broker).inboxes,
        within=5,
        what="the message is due",
    )
    broker.router.drain()

    assert snapshot(broker).oldest_queued_at == due_at


def test_agents_are_counted_by_presence_without_the_built_in(broker: Broker) -> None:
    for name in ("a", "b", "c", "d"):
        broker.agents.register(AgentId(name), {})
    broker.agents.register(AgentId("user"), {"name": "Me"})
    broker.inboxes.lease(AgentId("user"), Wanted(limit=1))
    now = system_clock()
    for name, silence_ms in (("b", 120_000), ("c", 400_000)):
        partition = broker.keys.partition_for(name)
        broker.redis.command("ZADD", broker.keys.heartbeats(partition), now - silence_ms, name)
    partition = broker.keys.partition_for("d")
    broker.redis.command("ZREM", broker.keys.heartbeats(partition), "d")

    agents = snapshot(broker).agents

    assert (agents.online, agents.stale, agents.offline) == (1, 1, 2)


def test_rates_come_from_the_last_sample(broker: Broker) -> None:
    broker.agents.register(BOB, {})
    send(broker, 5)
    broker.stats.sample()
    send(broker, 7)
    broker.router.drain()
    broker.inboxes.acknowledge_many(
        BOB,
        [
            Acknowledgement(message_id=one.message.id, token=one.lease.token)
            for one in lease(broker, 4)
            if one.lease
        ],
    )

    recent = until(
        lambda: found if (found := broker.stats.overview().recent).window_ms else None,
        within=1,
        what="time has passed since the sample",
    )

    assert recent.counts["message.accepted"] == 7
    assert recent.counts["delivery.queued"] == 12
    assert recent.counts["delivery.acknowledged"] == 4
    assert recent.latency.count == 4
    assert recent.error_rate == 0


def test_samples_are_bounded(broker: Broker) -> None:
    for _ in range(125):
        broker.stats.sample()

    assert broker.redis.command("LLEN", broker.keys.samples()) == 120


def test_a_thousand_inboxes_are_read_in_three_trips(broker: Broker) -> None:
    agents = [AgentId(f"agent-{number}") for number in range(1000)]
    for agent in agents:
        broker.queue.send(
            Draft(sender=AgentId("alice"), to=(agent,), body="x", hold_for_unknown=True)
        )
    broker.router.drain()
    send(broker, 1, hold_for_unknown=True)
    trips = 0
    carry_out = broker.redis._trip

    def counted(commands: list[tuple[str, ...]]) -> list[object]:
        nonlocal trips
        trips += 1
        return carry_out(commands)

    broker.redis._trip = counted  # type: ignore[method-assign, assignment]
    store = OperationsStore(
        broker.redis,
        broker.keys,
        PresencePolicy(stale_after_ms=1000, offline_after_ms=2000, max_depth=10),
    )
    store.snapshot()  # loads the scripts
    trips = 0

    measured = store.snapshot()

    assert len(measured.inboxes) == 1000
    assert measured.accepted == 1
    assert trips == 3


def test_redis_tells_its_memory_and_that_its_log_is_sound(broker: Broker) -> None:
    servers = broker.stats.overview().servers

    assert servers
    assert all(server.used_memory_bytes > 0 for server in servers)
    assert all(server.append_only_ok for server in servers)
