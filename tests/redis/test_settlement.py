"""What time does: settle.lua, conclude.lua, forget.lua, and what is left afterwards."""

import threading

import pytest

from broker.kernel.errors import MessageNotFoundError
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from tests.redis.conftest import MakeStage
from tests.redis.stage import HOUR_MS, Stage, ids

BOB = AgentId("bob")
DAY_MS = 24 * HOUR_MS


def test_a_sweep_returns_what_was_leased_for_too_long(stage: Stage) -> None:
    identifier = stage.deliver()
    stage.lease_one()
    stage.pass_time()

    stage.settle()

    assert stage.inbox() == [identifier]
    (attempt,) = stage.receipt(identifier).history
    assert attempt.outcome == "lease_ended"


def test_a_lease_that_runs_is_left_alone(stage: Stage) -> None:
    identifier = stage.deliver()
    held = stage.lease_one()

    stage.settle()

    assert stage.state(identifier) is DeliveryState.LEASED
    stage.ack(held)


def test_a_lease_that_ends_for_the_last_time_is_a_death(make_stage: MakeStage) -> None:
    stage = make_stage(max_attempts=1)
    identifier = stage.deliver()
    stage.lease_one()
    stage.pass_time()

    stage.settle()

    assert stage.state(identifier) is DeliveryState.DEAD


def test_an_inbox_larger_than_one_pass_is_settled_whole(stage: Stage) -> None:
    stage.broker.queue.send_many([stage.draft() for _ in range(450)])
    stage.route()
    stage.lease(limit=450)
    stage.pass_time()

    stage.settle()

    assert len(stage.inbox()) == 450


def test_what_expires_in_an_inbox_is_reported_as_expired(stage: Stage) -> None:
    identifier = stage.deliver(ttl_ms=1_000)
    stage.outlive(identifier)

    stage.settle()

    receipt = stage.receipt(identifier)
    assert receipt.state is DeliveryState.EXPIRED
    assert receipt.finished_at
    assert stage.broker.redis.command("HLEN", stage.broker.keys.deliveries(BOB)) == 0


def test_a_message_that_expires_in_its_readers_hands_may_still_be_finished(stage: Stage) -> None:
    identifier = stage.deliver(ttl_ms=1_000)
    held = stage.lease_one()
    stage.outlive(identifier)
    stage.settle()

    stage.ack(held)

    assert stage.state(identifier) is DeliveryState.ACKNOWLEDGED


def test_a_message_that_expired_in_its_readers_hands_does_not_come_back(stage: Stage) -> None:
    identifier = stage.deliver(ttl_ms=1_000)
    stage.lease_one()
    stage.outlive(identifier)
    stage.settle()
    stage.pass_time()
    stage.settle()

    assert stage.lease() == []
    assert stage.state(identifier) is DeliveryState.EXPIRED


def test_a_finished_message_stays_readable_for_its_retention(make_stage: MakeStage) -> None:
    stage = make_stage(retention_seconds=1)
    identifier = stage.deliver()
    stage.ack(stage.lease_one())

    stage.settle()

    left = stage.broker.redis.command("PTTL", stage.broker.keys.message(identifier))
    assert 0 < left <= 1000
    assert stage.state(identifier) is DeliveryState.ACKNOWLEDGED
    stage.broker.redis.command("DEL", stage.broker.keys.message(identifier))
    with pytest.raises(MessageNotFoundError):
        stage.broker.archive.get(identifier)


def test_a_receipt_leaves_after_its_record(make_stage: MakeStage) -> None:
    stage = make_stage(retention_seconds=60)
    stage.deliver()
    stage.ack(stage.lease_one())
    stage.settle()

    stage.pass_time(ms=60_000)
    stage.settle()
    assert stage.broker.redis.command("HLEN", stage.broker.keys.receipts(BOB)) == 1
    stage.pass_time(ms=60_000)
    stage.settle()
    assert stage.broker.redis.command("HLEN", stage.broker.keys.receipts(BOB)) == 0
    assert stage.broker.redis.command("ZCARD", stage.broker.keys.leaving(BOB)) == 0


def test_a_receipt_stays_as_long_as_others_have_yet_to_finish(make_stage: MakeStage) -> None:
    stage = make_stage(retention_seconds=60)
    stage.register("carol")
    identifier = stage.deliver(("bob", "carol"))
    stage.ack(stage.lease_one())
    stage.settle()

    stage.pass_time(ms=HOUR_MS)
    stage.settle()

    assert stage.state(identifier) is DeliveryState.ACKNOWLEDGED
    stage.ack(stage.lease_one("carol"), "carol")
    stage.settle()
    left = stage.broker.redis.command("PTTL", stage.broker.keys.message(identifier))
    assert 0 < left <= 60_000


def test_a_receipt_of_a_dead_letter_stays_as_long_as_its_record(make_stage: MakeStage) -> None:
    stage = make_stage(dead_letter_retention_seconds=1, max_attempts=1)
    identifier = stage.deliver(ttl_ms=DAY_MS)
    stage.lease_one()
    stage.pass_time()
    stage.settle()
    stage.settle()

    stage.pass_time(ms=HOUR_MS)
    stage.settle()

    assert stage.state(identifier) is DeliveryState.DEAD


def test_conclusions_that_were_told_but_not_struck_off_are_told_again(stage: Stage) -> None:
    identifier = stage.deliver()
    stage.ack(stage.lease_one())
    store = stage.broker.settlement._verdicts
    concluded = stage.broker.keys.concluded(stage.broker.keys.partition_for(BOB))
    forget = store.forget

    def crash(*_: object) -> None:
        raise InterruptedError

    store.forget = crash  # type: ignore[method-assign,assignment]
    with pytest.raises(InterruptedError):
        stage.settle()
    store.forget = forget  # type: ignore[method-assign]
    assert stage.broker.redis.command("ZCARD", concluded) == 1

    stage.settle()

    assert stage.broker.redis.command("ZCARD", concluded) == 0
    assert stage.state(identifier) is DeliveryState.ACKNOWLEDGED


def test_a_trim_strikes_off_listings_whose_record_has_left(make_stage: MakeStage) -> None:
    stage = make_stage(retention_seconds=0)
    gone, kept = stage.send(), stage.send()
    stage.broker.redis.command("DEL", stage.broker.keys.message(gone))
    threading.Event().wait(0.005)

    assert stage.broker.settlement.trim() == 1

    history = stage.broker.keys.history(stage.broker.keys.partition_for(AgentId("alice")))
    left = stage.broker.redis.command("ZRANGE", history, 0, -1)
    assert [MessageId(name.decode()) for name in left] == [kept]


def test_an_early_alarm_is_set_anew(stage: Stage) -> None:
    first = stage.deliver()
    stage.ack(stage.lease_one(lease_ms=1000))
    second = stage.deliver()
    stage.lease_one(lease_ms=HOUR_MS)
    alarms = stage.broker.keys.alarms(stage.broker.keys.partition_for(BOB))
    stage.shift(alarms, -10_000)

    stage.settle()

    now = stage.now()
    assert float(stage.broker.redis.command("ZSCORE", alarms, BOB)) > now + HOUR_MS - 10_000
    assert stage.state(first) is DeliveryState.ACKNOWLEDGED
    assert stage.state(second) is DeliveryState.LEASED


def test_two_sweeps_at_once_return_each_message_once(stage: Stage) -> None:
    sent = [stage.send() for _ in range(50)]
    stage.route()
    stage.lease(limit=50)
    stage.pass_time()

    sweeps = [threading.Thread(target=stage.settle) for _ in range(4)]
    for sweep in sweeps:
        sweep.start()
    for sweep in sweeps:
        sweep.join()

    again = stage.lease(limit=100)
    assert ids(again) == sent
    assert {one.attempt for one in again} == {2}
