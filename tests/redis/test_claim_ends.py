"""How claims end, whoever dies: the message returns to the pool, and nobody holds it twice."""

import pytest

from broker.kernel.errors import (
    StaleEpochError,
    StaleLeaseError,
)
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.claims import ClaimHeldError
from broker.messaging.dead_letters import DeadLetterFilter
from tests.redis.conftest import MakeStage
from tests.redis.pool import POOL, Pool
from tests.redis.stage import HOUR_MS, acknowledgement, ids, token

BOB = AgentId("bob")
NOBODY = DeliveryState.QUEUED


def states(pool: Pool, message: MessageId) -> list[DeliveryState]:
    return [pool.stage.state(message, member) for member in pool.members]


# --- losing ----------------------------------------------------------------------------------


def test_a_claim_that_ends_returns_to_the_pool(pool: Pool) -> None:
    message = pool.offer()
    held = pool.claim("bob", message)
    assert pool.stage.lease("carol") == []  # put aside until a claim's end that is an hour ahead
    pool.stage.pass_time("bob")

    pool.stage.settle()

    assert [pool.stage.inbox(member) for member in POOL] == [[message]] * 3
    assert pool.holder(message) is None
    with pytest.raises(StaleLeaseError):
        pool.stage.ack(held)
    again = pool.claim("carol", message)
    assert token(again) != token(held)


def test_a_claim_that_ended_can_be_taken_over_before_any_sweep(pool: Pool) -> None:
    message = pool.offer()
    late = pool.claim("bob", message)
    pool.pass_time(message)

    held = pool.claim("carol", message)

    assert pool.holder(message) == "carol"
    with pytest.raises(StaleLeaseError):
        pool.stage.ack(late)
    pool.stage.ack(held, "carol")


def test_the_end_that_counts_is_the_one_of_the_holders_side(pool: Pool) -> None:
    # As if the clock of the sender's server ran ahead.
    message = pool.offer()
    held = pool.claim("bob", message)
    keys = pool.stage.broker.keys
    pool.stage.shift(keys.claims(keys.partition_of(message)), -HOUR_MS)
    pool.stage.broker.redis.command("HINCRBY", keys.claim(message), "until", -HOUR_MS)

    pool.stage.settle()
    with pytest.raises(ClaimHeldError):
        pool.claim("carol", message)

    pool.stage.ack(held)


def test_a_rejected_claim_returns_to_the_others_at_once(pool: Pool) -> None:
    message = pool.offer(max_attempts=3)
    held = pool.claim("bob", message)
    assert pool.stage.lease("carol") == []

    pool.stage.broker.inboxes.reject(BOB, message, token(held), delay_ms=HOUR_MS)
    pool.stage.settle()

    assert ids(pool.stage.lease("carol")) == [message]
    assert pool.stage.inbox("bob") == []
    assert pool.stage.receipt(message).attempts == 1


def test_who_fails_too_often_dies_alone(pool: Pool) -> None:
    message = pool.offer(max_attempts=1)
    held = pool.claim("bob", message)

    pool.stage.broker.inboxes.reject(BOB, message, token(held), reason="can't")
    pool.stage.settle()

    assert states(pool, message) == [DeliveryState.DEAD, NOBODY, NOBODY]
    pool.stage.ack(pool.claim("carol", message), "carol")


def test_a_dead_letter_of_a_message_that_another_finished_comes_back_to_nothing(
    pool: Pool,
) -> None:
    message = pool.offer(max_attempts=1)
    held = pool.claim("bob", message)
    pool.stage.broker.inboxes.reject(BOB, message, token(held))
    pool.stage.settle()
    pool.stage.ack(pool.claim("carol", message), "carol")
    pool.stage.settle()
    (letter,), _ = pool.stage.broker.dead_letters.find(DeadLetterFilter(), limit=1)

    pool.stage.broker.dead_letters.retry(letter.id)

    assert pool.stage.lease("bob") == []
    assert pool.stage.state(message) is DeliveryState.TAKEN


def test_the_claims_of_a_silent_agent_are_released(make_stage: MakeStage) -> None:
    stage = make_stage(offline_after_seconds=1, stale_after_seconds=1)
    stage.register("carol", "dora")
    pool = Pool(stage=stage)
    message = pool.offer()
    pool.claim("bob", message, claim_ms=HOUR_MS)
    keys = stage.broker.keys
    stage.broker.redis.command("ZADD", keys.heartbeats(keys.partition_for(BOB)), 1, BOB)

    assert stage.broker.agents.reap() == [BOB]
    stage.settle()

    assert pool.holder(message) is None
    pool.claim("carol", message)


def test_the_claims_of_a_superseded_session_are_released(pool: Pool) -> None:
    pool.stage.register("bob", instance_id="old")
    message = pool.offer()
    held = pool.claim("bob", message, epoch=pool.stage.broker.agents.get(BOB).epoch)

    pool.stage.register("bob", instance_id="new")

    again = pool.claim("bob", message)
    assert token(again) != token(held)
    with pytest.raises(StaleLeaseError):
        pool.stage.ack(held)


def test_a_superseded_session_can_do_nothing_with_claims(pool: Pool) -> None:
    pool.stage.register("bob", instance_id="old")
    old = pool.stage.broker.agents.get(BOB).epoch
    message = pool.offer()
    pool.stage.register("bob", instance_id="new")
    with pytest.raises(StaleEpochError):
        pool.claim("bob", message, epoch=old)
    held = pool.claim("bob", message)

    with pytest.raises(StaleEpochError):
        pool.renew("bob", held, epoch=old)
    with pytest.raises(StaleEpochError):
        pool.release("bob", held, epoch=old)


def test_what_is_given_back_unworked_counts_no_attempt(pool: Pool) -> None:
    message = pool.offer()
    held = pool.claim("bob", message)

    pool.stage.broker.inboxes.give_back(BOB, [acknowledgement(held)])
    pool.stage.settle()

    assert pool.stage.receipt(message).attempts == 0
    assert pool.claim("carol", message).attempt == 1


def test_a_deleted_agent_leaves_its_claims_to_the_others(pool: Pool) -> None:
    message = pool.offer()
    pool.claim("bob", message)

    pool.stage.broker.agents.delete(BOB)
    pool.stage.settle()

    pool.claim("carol", message)


def test_a_large_pool_hears_of_each_end(pool: Pool) -> None:
    crowd = Pool(stage=pool.stage, members=tuple(f"member-{number}" for number in range(230)))
    crowd.stage.register(*crowd.members)
    message = crowd.offer()
    held = crowd.claim(crowd.members[0], message)
    for member in crowd.members[1:]:
        assert crowd.stage.lease(member) == []

    crowd.release(crowd.members[0], held)
    crowd.stage.settle()
    assert all(crowd.stage.inbox(member) == [message] for member in crowd.members)
    crowd.stage.ack(crowd.claim(crowd.members[1], message), crowd.members[1])
    crowd.stage.settle()

    receipts = crowd.stage.broker.archive.receipts(message)
    assert sum(one.state is DeliveryState.TAKEN for one in receipts) == 229


# --- dying between the steps -----------------------------------------------------------------


def test_a_claim_without_its_second_step_is_completed_by_the_same_call(pool: Pool) -> None:
    message = pool.offer()
    first = pool.claim_first_step("bob", message)

    held = pool.claim("bob", message)

    assert token(held) == first
    pool.stage.ack(held)


def test_a_claim_without_its_second_step_returns_to_the_pool_at_its_end(pool: Pool) -> None:
    message = pool.offer()
    pool.claim_first_step("bob", message)
    assert pool.stage.lease("carol") == []
    keys = pool.stage.broker.keys
    pool.stage.shift(keys.claims(keys.partition_of(message)), -HOUR_MS)

    pool.stage.settle()

    assert pool.holder(message) is None
    assert pool.stage.inbox("carol") == [message]


def test_a_second_step_that_comes_too_late_gets_nothing(pool: Pool) -> None:
    message = pool.offer()
    late = pool.claim_first_step("bob", message)
    keys = pool.stage.broker.keys
    pool.stage.shift(keys.claims(keys.partition_of(message)), -HOUR_MS)
    pool.stage.settle()
    held = pool.claim("carol", message)

    outcome = pool.second_step("bob", message, late)

    assert outcome == "claim_over"
    assert pool.stage.state(message, "bob") is NOBODY
    pool.stage.ack(held, "carol")


def test_a_second_step_that_comes_after_a_takeover_gets_nothing(pool: Pool) -> None:
    message = pool.offer()
    late = pool.claim_first_step("bob", message)
    pool.pass_time_of_claims(message)
    held = pool.claim("carol", message)  # before any sweep has told bob's side

    assert pool.second_step("bob", message, late) == "claim_over"

    assert pool.holders(message) == ["carol"]
    pool.stage.ack(held, "carol")


def test_who_hears_late_of_a_claim_that_is_over_is_not_kept_waiting(pool: Pool) -> None:
    message = pool.offer()
    held = pool.claim("bob", message, claim_ms=HOUR_MS)
    heard = pool.store().read([message])[0]
    assert heard is not None
    pool.release("bob", held)
    pool.stage.settle()

    pool.hear_late("carol", heard)

    assert pool.stage.inbox("carol") == [message]


def test_an_outbox_that_is_read_twice_changes_nothing_more(pool: Pool) -> None:
    message = pool.offer()
    pool.release("bob", pool.claim("bob", message))
    keys = pool.stage.broker.keys
    outbox = keys.concluded(keys.partition_for(BOB))
    entries = pool.stage.broker.redis.command("ZRANGE", outbox, 0, -1)
    held = pool.claim("carol", message)
    pool.stage.settle()

    pool.stage.broker.redis.command("ZADD", outbox, *(x for entry in entries for x in (1, entry)))
    pool.stage.settle()

    assert pool.holder(message) == "carol"
    pool.stage.ack(held, "carol")


def test_an_outbox_is_empty_in_the_end(pool: Pool) -> None:
    one, two = pool.offer(), pool.offer()
    pool.release("bob", pool.claim("bob", one))
    for message in (one, two):
        pool.stage.ack(pool.claim("carol", message), "carol")
    pool.stage.settle()
    pool.stage.settle()

    keys, redis = pool.stage.broker.keys, pool.stage.broker.redis
    for partition in keys.all_partitions():
        assert redis.command("ZCARD", keys.claims(partition)) == 0  # type: ignore[arg-type]
        assert redis.command("ZCARD", keys.concluded(partition)) == 0  # type: ignore[arg-type]
