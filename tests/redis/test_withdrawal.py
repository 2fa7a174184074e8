"""Taking messages back: withdraw_unrouted.lua, withdraw.lua, and superseding."""

import threading

import pytest

from broker.kernel.errors import (
    InboxFullError,
    MessageNotFoundError,
    NotWaitingError,
    StorageUnavailableError,
)
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from broker.kernel.priority import URGENT
from broker.messaging import withdrawal
from tests.redis.conftest import MakeStage
from tests.redis.stage import Stage, token


def test_a_message_is_cancelled_while_it_is_delayed(stage: Stage) -> None:
    identifier = stage.send(delay_ms=60_000)

    stage.broker.withdrawals.cancel(identifier)

    assert stage.state(identifier) is DeliveryState.CANCELLED
    partition = stage.broker.keys.partition_for(AgentId("alice"))
    assert stage.broker.redis.command("ZCARD", stage.broker.keys.delayed(partition)) == 0


def test_a_message_is_cancelled_before_it_is_routed(stage: Stage) -> None:
    identifier = stage.send()

    stage.broker.withdrawals.cancel(identifier)

    stage.route()
    assert stage.inbox() == []
    assert stage.state(identifier) is DeliveryState.CANCELLED


def test_a_message_is_cancelled_while_it_waits_in_the_inbox(stage: Stage) -> None:
    identifier = stage.deliver()

    stage.broker.withdrawals.cancel(identifier)

    assert stage.lease() == []
    assert stage.state(identifier) is DeliveryState.CANCELLED


def test_a_message_is_cancelled_between_two_attempts(stage: Stage) -> None:
    identifier = stage.deliver()
    held = stage.lease_one()
    stage.broker.inboxes.reject(AgentId("bob"), identifier, token(held), delay_ms=60_000)

    stage.broker.withdrawals.cancel(identifier)

    assert stage.state(identifier) is DeliveryState.CANCELLED


def test_what_its_recipient_holds_cannot_be_cancelled(stage: Stage) -> None:
    identifier = stage.deliver()
    held = stage.lease_one()

    with pytest.raises(NotWaitingError, match="holds it"):
        stage.broker.withdrawals.cancel(identifier)

    stage.ack(held)
    with pytest.raises(NotWaitingError, match="verdict"):
        stage.broker.withdrawals.cancel(identifier)


def test_what_its_recipient_held_for_too_long_can_be_cancelled(stage: Stage) -> None:
    identifier = stage.deliver()
    stage.lease_one()
    stage.pass_time()

    stage.broker.withdrawals.cancel(identifier)

    assert stage.lease() == []
    assert stage.state(identifier) is DeliveryState.CANCELLED


def test_a_message_to_several_is_cancelled_where_nobody_holds_it(stage: Stage) -> None:
    stage.register("carol")
    identifier = stage.deliver(("bob", "carol"))
    stage.lease_one("carol")

    stage.broker.withdrawals.cancel(identifier)

    assert stage.state(identifier, "bob") is DeliveryState.CANCELLED
    assert stage.state(identifier, "carol") is DeliveryState.LEASED


def test_a_broadcast_is_cancelled_for_everyone(stage: Stage) -> None:
    stage.register("carol")
    identifier = stage.deliver("broadcast")

    stage.broker.withdrawals.cancel(identifier)

    assert stage.inbox("bob") == stage.inbox("carol") == []


def test_what_was_never_sent_cannot_be_cancelled(stage: Stage) -> None:
    with pytest.raises(MessageNotFoundError):
        stage.broker.withdrawals.cancel(MessageId("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV"))


def test_a_message_in_a_routing_workers_hands_is_not_cancelled_behind_its_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawal, "_PATIENCE_SECONDS", 0.1)
    identifier = stage.send()
    batch = stage.take()

    with pytest.raises(StorageUnavailableError):
        stage.broker.withdrawals.cancel(identifier)

    assert batch is not None
    stage.commit(batch)
    assert stage.inbox() == [identifier]


def test_what_a_dead_router_left_half_way_is_cancelled_and_keeps_the_count(stage: Stage) -> None:
    agent = stage.broker.keys.agent(AgentId("bob"))
    stage.broker.redis.command("HSET", agent, "max_depth", 1)
    identifier = stage.send()
    batch = stage.take()
    assert batch is not None
    stage.commit(batch)
    stage.forget_drainer()

    successor = threading.Timer(0.1, stage.route)
    successor.start()
    stage.broker.withdrawals.cancel(identifier)

    successor.join()
    assert stage.inbox() == []
    assert stage.state(identifier) is DeliveryState.CANCELLED
    results = stage.broker.queue.send_many([stage.draft(), stage.draft()])
    assert [type(result).__name__ for result in results] == ["Accepted", "InboxFullError"]


@pytest.mark.parametrize("where", ["ingress", "delayed", "inbox"])
def test_a_message_supersedes_one_that_is_not_delivered_yet(stage: Stage, where: str) -> None:
    old = stage.send(delay_ms=60_000 if where == "delayed" else None)
    if where == "inbox":
        stage.route()

    new = stage.deliver(supersedes=old)

    assert stage.inbox() == [new]
    assert stage.state(old) is DeliveryState.SUPERSEDED


def test_what_is_held_already_is_not_superseded(stage: Stage) -> None:
    old = stage.deliver()
    held = stage.lease_one()

    new = stage.deliver(supersedes=old)

    stage.ack(held)
    assert stage.inbox() == [new]
    assert stage.state(old) is DeliveryState.ACKNOWLEDGED


def test_a_message_supersedes_one_that_is_being_routed_however_urgent_it_is(stage: Stage) -> None:
    old = stage.send()
    stage.take()
    new = stage.send(supersedes=old, priority=URGENT)
    stage.forget_drainer()

    stage.route()

    assert stage.inbox() == [new]
    assert stage.state(old) is DeliveryState.SUPERSEDED


def test_a_message_supersedes_one_to_somebody_else(stage: Stage) -> None:
    stage.register("carol")
    old = stage.deliver("carol")

    new = stage.deliver("bob", supersedes=old)

    assert stage.inbox("carol") == []
    assert stage.inbox("bob") == [new]
    assert stage.state(old, "carol") is DeliveryState.SUPERSEDED


def test_taking_back_a_claimable_message_leaves_the_count_of_others_alone(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(queue_max_depth=1)
    stage.deliver()
    stage.ack(stage.lease_one())
    stage.broker.withdrawals.cancel(stage.send(claimable=True))

    stage.send()

    with pytest.raises(InboxFullError):
        stage.send()
