"""From ingress to inboxes: take.lua, address.lua, commit.lua, release.lua and the router."""

import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, Partition
from broker.kernel.priority import PRIORITY_NAMES
from broker.routing.store import Batch, Committed
from tests.redis.conftest import MakeStage
from tests.redis.racing import race
from tests.redis.stage import Stage, ids

ALICE = AgentId("alice")


def test_an_idle_partition_has_nothing_to_take(stage: Stage) -> None:
    assert stage.take() is None


def test_a_batch_stays_in_ingress_until_it_is_released(stage: Stage) -> None:
    identifier = stage.send()
    batch = stage.take()

    assert batch is not None
    assert batch.ids == (identifier,)
    partition = stage.broker.keys.partition_for(ALICE)
    assert stage.broker.redis.command("ZCARD", stage.broker.keys.ingress(partition)) == 1
    stage.commit(batch)
    stage.routing_store().release({partition: batch.ids}, "someone")
    assert stage.broker.redis.command("ZCARD", stage.broker.keys.ingress(partition)) == 0


def test_a_partition_has_one_drainer_at_a_time(stage: Stage) -> None:
    stage.send()
    first = stage.take(token="one")

    assert stage.take(token="two") is None
    again = stage.take(token="one")
    assert first is not None
    assert again is not None
    assert again.ids == first.ids


def test_another_drainer_takes_over_when_the_hold_ends(stage: Stage) -> None:
    identifier = stage.send()
    stage.take(token="one")
    stage.forget_drainer()

    batch = stage.take(token="two")

    assert batch is not None
    assert batch.ids == (identifier,)


def test_only_its_drainer_can_hold_a_partition_for_longer(stage: Stage) -> None:
    stage.send()
    batch = stage.take(token="one")
    assert batch is not None
    store, partition = stage.routing_store(), stage.broker.keys.partition_for(ALICE)

    assert store.hold([partition], "one") >= batch.valid_until
    assert store.hold([partition], "two") == 0
    stage.forget_drainer()
    assert store.hold([partition], "one") == 0


def test_a_commit_after_its_time_changes_nothing(stage: Stage) -> None:
    stage.send()
    batch = stage.take()
    assert batch is not None

    late = type(batch)(ids=batch.ids, valid_until=1)

    assert not stage.commit(late)
    assert stage.inbox() == []


def test_a_commit_repeated_delivers_once(stage: Stage) -> None:
    identifier = stage.send()
    batch = stage.take()
    assert batch is not None

    assert stage.commit(batch)
    assert stage.commit(batch)

    assert stage.inbox() == [identifier]


def test_what_was_acknowledged_before_its_release_does_not_come_back(stage: Stage) -> None:
    stage.send()
    batch = stage.take()
    assert batch is not None
    stage.commit(batch)
    stage.ack(stage.lease_one())
    stage.forget_drainer()

    assert stage.route() == 1

    assert stage.inbox() == []


def test_urgent_messages_come_first_and_equals_in_their_order(stage: Stage) -> None:
    order = ["low", "normal", "urgent", "normal", "high", "low", "urgent"]
    sent = [(PRIORITY_NAMES[name], stage.send(priority=PRIORITY_NAMES[name])) for name in order]

    stage.route()

    by_priority = sorted(sent, key=lambda one: -one[0])
    assert ids(stage.lease()) == [identifier for _, identifier in by_priority]


def test_a_delayed_message_is_routed_when_it_is_due(stage: Stage) -> None:
    identifier = stage.send(delay_ms=60_000)

    stage.route()
    assert stage.state(identifier) is DeliveryState.DELAYED
    assert stage.inbox() == []

    partition = stage.broker.keys.partition_for(ALICE)
    stage.shift(stage.broker.keys.delayed(partition), -60_000)
    stage.route()
    assert stage.inbox() == [identifier]


def test_a_broadcast_reaches_everyone_but_its_sender_and_the_built_in_agents(stage: Stage) -> None:
    stage.register("carol", "dave")

    identifier = stage.deliver("broadcast")

    receipts = stage.broker.archive.receipts(identifier)
    assert [receipt.agent_id for receipt in receipts] == ["bob", "carol", "dave"]
    assert {receipt.state for receipt in receipts} == {DeliveryState.QUEUED}


def test_a_message_to_several_has_a_receipt_for_each(stage: Stage) -> None:
    stage.register("carol")
    identifier = stage.deliver(("bob", "carol"))

    stage.ack(stage.lease_one("carol"), "carol")

    assert stage.state(identifier, "carol") is DeliveryState.ACKNOWLEDGED
    assert stage.state(identifier, "bob") is DeliveryState.QUEUED
    assert stage.broker.archive.get(identifier).state is DeliveryState.QUEUED


def test_a_message_whose_recipient_was_deleted_meanwhile_becomes_a_dead_letter(
    stage: Stage,
) -> None:
    identifier = stage.send()
    stage.broker.agents.delete(AgentId("bob"))

    stage.route()

    assert stage.state(identifier) is DeliveryState.DEAD


def test_a_message_that_expired_on_its_way_is_reported_as_expired(stage: Stage) -> None:
    identifier = stage.send(ttl_ms=1)
    stage.outlive(identifier)

    stage.route()

    assert stage.state(identifier) is DeliveryState.EXPIRED
    assert stage.receipt(identifier).finished_at


def test_a_full_inbox_drops_its_oldest_of_the_lowest_priority_if_told_so(stage: Stage) -> None:
    limits = ("max_depth", 2, "on_full", "drop_oldest")
    stage.broker.redis.command("HSET", stage.broker.keys.agent(AgentId("bob")), *limits)
    urgent, old, new = (stage.deliver(priority=priority) for priority in (9, 5, 5))

    assert stage.inbox() == [urgent, new]
    assert stage.state(old) is DeliveryState.DROPPED


def test_a_full_inbox_drops_what_comes_if_told_so(stage: Stage) -> None:
    limits = ("max_depth", 2, "on_full", "drop_newest")
    stage.broker.redis.command("HSET", stage.broker.keys.agent(AgentId("bob")), *limits)
    first, second, third = (stage.deliver() for _ in range(3))

    assert stage.inbox() == [first, second]
    assert stage.state(third) is DeliveryState.DROPPED


def test_a_broadcast_to_a_full_inbox_becomes_a_dead_letter(make_stage: MakeStage) -> None:
    stage = make_stage(queue_max_depth=1)
    stage.deliver()

    identifier = stage.deliver("broadcast")

    assert stage.state(identifier) is DeliveryState.DEAD


def test_a_busy_partition_does_not_keep_others_from_being_routed(make_stage: MakeStage) -> None:
    stage = make_stage(partitions=64)
    stage.register("carol")
    store = stage.broker.router._store
    take, takes = store.take, []

    def take_from_what_never_ends(
        partitions: Sequence[Partition], token: str, limit: int
    ) -> dict[Partition, Batch]:
        takes.append(partitions)
        if len(takes) < 20 and not stage.inbox("carol"):
            stage.send(sender="alice")
        if len(takes) == 5:
            stage.send("carol", sender="somebody in another partition")
        return take(partitions, token, limit)

    store.take = take_from_what_never_ends  # type: ignore[method-assign]
    stage.send(sender="alice")
    stage.route()

    assert len(takes) < 20


def test_routing_that_takes_longer_than_a_hold_still_gets_done(make_stage: MakeStage) -> None:
    stage = make_stage(partitions=1)
    stage.register(*(f"agent-{number}" for number in range(100)))
    stage.broker.queue.send_many([stage.draft("broadcast") for _ in range(60)])
    store = stage.broker.router._store
    commit, commits = store.commit, []

    def commit_slowly(*arguments: Any) -> Committed | None:
        commits.append(arguments)
        threading.Event().wait(0.7)
        assert len(commits) < 10
        return commit(*arguments)

    store.commit = commit_slowly  # type: ignore[method-assign,assignment]
    stage.route()

    assert len(stage.inbox("agent-99")) == 60


def test_of_routers_that_settle_an_audience_at_once_the_first_decides(stage: Stage) -> None:
    stage.send("broadcast")
    batch = stage.take()
    assert batch is not None
    store, now = stage.routing_store(), stage.now()
    (message,) = store.envelopes(batch.ids).values()
    audiences = [(), *[(AgentId("bob"), AgentId(f"agent-{number}")) for number in range(15)]]

    answers = race(*[partial(store.address, [(message, one)], now) for one in audiences])

    (settled,) = {frozenset(answer) for (answer,) in answers}
    assert settled in {frozenset(one) for one in audiences}


def test_an_audience_of_tens_of_thousands_is_noted_whole(stage: Stage) -> None:
    stage.send("broadcast")
    batch = stage.take()
    assert batch is not None
    store = stage.routing_store()
    (message,) = store.envelopes(batch.ids).values()
    audience = tuple(AgentId(f"agent-{number}") for number in range(20_000))

    store.address([(message, audience)], stage.now())

    ((noted,),) = [store.address([(message, ())], stage.now())]
    assert set(noted) == set(audience)
