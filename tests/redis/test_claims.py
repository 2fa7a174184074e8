"""Claims: one of those to whom a message is offered has it, until it is done or the claim ends."""

import pytest

from broker.kernel.errors import (
    InvalidFieldsError,
    LeaseIsClaimError,
    MessageNotFoundError,
    NotClaimedError,
    StaleEpochError,
    StaleLeaseError,
    UnknownAgentError,
)
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.claims import ClaimDoneError, ClaimHeldError, NotClaimableError
from broker.messaging.dead_letters import DeadLetterFilter
from broker.messaging.delivery import Wanted
from tests.redis.conftest import MakeStage
from tests.redis.pool import POOL, Pool
from tests.redis.stage import HOUR_MS, Stage, acknowledgement, ids, token

BOB, CAROL = AgentId("bob"), AgentId("carol")
NOBODY = DeliveryState.QUEUED


@pytest.fixture
def pool(stage: Stage) -> Pool:
    stage.register("carol", "dora")
    return Pool(stage=stage)


def states(pool: Pool, message: MessageId) -> list[DeliveryState]:
    return [pool.stage.state(message, member) for member in pool.members]


# --- being offered ----------------------------------------------------------------------------


def test_an_offer_is_shown_to_all_and_counts_no_attempt(pool: Pool) -> None:
    message = pool.offer()

    shown = [pool.stage.lease_one(member) for member in POOL]

    assert [one.message.id for one in shown] == [message] * 3
    assert [one.attempt for one in shown] == [0, 0, 0]


def test_an_offer_must_be_claimed_before_it_is_acknowledged(pool: Pool) -> None:
    pool.offer()
    shown = pool.stage.lease_one()

    with pytest.raises(NotClaimedError, match="Claim it first"):
        pool.stage.ack(shown)


def test_an_offer_that_nobody_claims_comes_again_uncounted(pool: Pool) -> None:
    message = pool.offer(max_attempts=1)
    for _ in range(3):
        pool.stage.lease_one()
        pool.stage.pass_time()
        pool.stage.settle()

    assert pool.stage.inbox() == [message]
    assert pool.stage.receipt(message).history == ()


def test_an_offer_may_be_put_aside_for_a_while_uncounted(pool: Pool) -> None:
    message = pool.offer(max_attempts=1)
    shown = pool.stage.lease_one()

    rejected = pool.stage.broker.inboxes.reject(BOB, message, token(shown), delay_ms=HOUR_MS)

    assert rejected.state is DeliveryState.WAITING
    pool.stage.pass_time()
    assert ids(pool.stage.lease()) == [message]


def test_an_offer_may_be_declined_for_good(pool: Pool) -> None:
    message = pool.offer()
    shown = pool.stage.lease_one()

    rejected = pool.stage.broker.inboxes.reject(BOB, message, token(shown), permanent=True)

    assert rejected.state is DeliveryState.DECLINED
    assert states(pool, message) == [DeliveryState.DECLINED, NOBODY, NOBODY]
    assert pool.stage.broker.dead_letters.find(DeadLetterFilter(), limit=1)[0] == []
    with pytest.raises(NotClaimableError, match="declined"):
        pool.claim("bob", message)


def test_an_offer_that_was_only_shown_can_be_cancelled(pool: Pool) -> None:
    message = pool.offer()
    pool.stage.lease_one()

    pool.stage.broker.withdrawals.cancel(message)

    assert states(pool, message) == [DeliveryState.CANCELLED] * 3


# --- claiming ---------------------------------------------------------------------------------


def test_who_claims_a_message_holds_it(pool: Pool) -> None:
    message = pool.offer(body="work")

    held = pool.claim("bob", message)

    assert held.message.body == "work"
    assert held.attempt == 1
    assert pool.holder(message) == "bob"
    pool.stage.ack(held)
    assert pool.stage.state(message) is DeliveryState.ACKNOWLEDGED


def test_a_message_that_was_fetched_first_is_claimed_all_the_same(pool: Pool) -> None:
    message = pool.offer()
    shown = pool.stage.lease_one()

    held = pool.claim("bob", message)

    assert token(held) != token(shown)
    with pytest.raises(StaleLeaseError):
        pool.stage.ack(shown)
    pool.stage.ack(held)


def test_nobody_else_can_claim_what_is_held(pool: Pool) -> None:
    message = pool.offer()
    pool.claim("bob", message, claim_ms=30_000)

    with pytest.raises(ClaimHeldError, match="bob has claimed") as refused:
        pool.claim("carol", message)

    assert 25 < (refused.value.retry_after_seconds or 0) <= 30


def test_the_same_agent_again_gets_the_claim_that_it_has(pool: Pool) -> None:
    message = pool.offer()
    held = pool.claim("bob", message)

    assert pool.claim("bob", message) == held


def test_what_another_holds_is_not_shown(pool: Pool) -> None:
    taken, free = pool.offer(), pool.offer()
    pool.claim("bob", taken)

    assert pool.stage.inbox("carol") == [free]
    assert ids(pool.stage.lease("carol", 1)) == [free]
    assert pool.stage.state(taken, "carol") is DeliveryState.WAITING


def test_who_loses_has_its_offer_put_aside(pool: Pool) -> None:
    message = pool.offer()
    pool.claim("bob", message)
    with pytest.raises(ClaimHeldError):
        pool.claim("carol", message)

    assert pool.stage.state(message, "carol") is DeliveryState.WAITING


def test_kinds_are_chosen_among_what_is_free(pool: Pool) -> None:
    taken, free = pool.offer(kind="task"), pool.offer(kind="task")
    pool.claim("bob", taken)

    wanted = Wanted(limit=1, kinds=frozenset({"task"}))

    assert ids(pool.stage.broker.inboxes.lease(CAROL, wanted)) == [free]


def test_only_those_to_whom_a_message_is_offered_can_claim_it(pool: Pool) -> None:
    message = pool.offer()
    pool.stage.register("erin")

    with pytest.raises(MessageNotFoundError):
        pool.claim("erin", message)
    with pytest.raises(UnknownAgentError):
        pool.claim("nobody", message)


def test_an_ordinary_message_is_not_claimed(pool: Pool) -> None:
    message = pool.stage.deliver()

    with pytest.raises(NotClaimableError, match="without a claim"):
        pool.claim("bob", message)


def test_a_message_to_one_can_be_claimable_as_well(pool: Pool) -> None:
    message = pool.stage.deliver("bob", claimable=True)

    pool.stage.ack(pool.claim("bob", message))

    assert pool.stage.state(message) is DeliveryState.ACKNOWLEDGED


def test_a_claim_can_be_no_longer_than_a_lease(make_stage: MakeStage) -> None:
    stage = make_stage(lease_max_seconds=10)
    message = stage.deliver("bob", claimable=True)

    with pytest.raises(InvalidFieldsError, match="claim_seconds"):
        stage.broker.claims.claim(BOB, message, claim_ms=11_000)


def test_an_offer_whose_life_is_over_can_not_be_claimed(pool: Pool) -> None:
    message = pool.offer(ttl_ms=300)
    pool.stage.outlive(message)

    with pytest.raises(NotClaimableError, match="expired"):
        pool.claim("bob", message)


# --- finishing --------------------------------------------------------------------------------


def test_when_a_message_is_done_the_other_offers_are_taken_back(pool: Pool) -> None:
    message = pool.offer()
    pool.stage.lease_one("carol")
    pool.stage.ack(pool.claim("bob", message))

    pool.stage.settle()

    taken = DeliveryState.TAKEN
    assert states(pool, message) == [DeliveryState.ACKNOWLEDGED, taken, taken]
    assert pool.stage.lease("dora") == []


def test_a_finished_message_as_a_whole_is_acknowledged_at_once(pool: Pool) -> None:
    message = pool.offer()
    pool.stage.ack(pool.claim("bob", message))

    assert pool.stage.broker.archive.get(message).state is DeliveryState.ACKNOWLEDGED


@pytest.mark.parametrize("told", [False, True])
def test_a_finished_message_can_not_be_claimed(pool: Pool, *, told: bool) -> None:
    message = pool.offer()
    pool.stage.ack(pool.claim("bob", message))
    if told:
        pool.stage.settle()
    else:
        pool.pass_time(message)  # the claim's end comes before the word that it was won

    for agent in ("carol", "bob"):
        with pytest.raises(ClaimDoneError):
            pool.claim(agent, message)


def test_a_finished_message_keeps_its_record_until_its_retention(make_stage: MakeStage) -> None:
    stage = make_stage(retention_seconds=60)
    stage.register("carol", "dora")
    pool = Pool(stage=stage)
    message = pool.offer()
    pool.stage.ack(pool.claim("bob", message))

    stage.settle()
    stage.settle()

    left = stage.broker.redis.command("PTTL", stage.broker.keys.message(message))
    assert 0 < left <= 60_000
    assert stage.broker.redis.command("PTTL", stage.broker.keys.claim(message)) > left


# --- losing -----------------------------------------------------------------------------------


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


# --- renewing and releasing -------------------------------------------------------------------


def test_a_renewed_claim_lasts_for_longer_on_both_sides(pool: Pool) -> None:
    message = pool.offer()
    held = pool.claim("bob", message, claim_ms=1000)

    ends_at = pool.renew("bob", held, HOUR_MS)

    assert ends_at > pool.stage.now() + HOUR_MS / 2
    pool.pass_time(message, ms=HOUR_MS // 2)
    pool.stage.settle()
    assert pool.holder(message) == "bob"
    pool.stage.ack(held)


def test_a_renewal_needs_the_claim(pool: Pool) -> None:
    message = pool.offer()
    shown = pool.stage.lease_one("carol")
    held = pool.claim("bob", message)

    with pytest.raises(StaleLeaseError):
        pool.renew("carol", shown)
    pool.pass_time(message)
    with pytest.raises(StaleLeaseError):
        pool.renew("bob", held)
    with pytest.raises(UnknownAgentError):
        pool.renew("nobody", held)


def test_the_lease_of_a_claim_is_not_extended_by_itself(pool: Pool) -> None:
    message = pool.offer()
    held = pool.claim("bob", message)

    with pytest.raises(LeaseIsClaimError, match="Renew the claim"):
        pool.stage.broker.inboxes.extend(BOB, message, token(held), lease_ms=HOUR_MS)


def test_a_released_claim_is_offered_again_to_all(pool: Pool) -> None:
    message = pool.offer(max_attempts=1)
    held = pool.claim("bob", message)
    assert pool.stage.lease("carol") == []

    pool.release("bob", held)
    pool.stage.settle()

    assert [pool.stage.inbox(member) for member in POOL] == [[message]] * 3
    assert pool.stage.receipt(message).attempts == 0


def test_a_released_claim_can_be_claimed_at_once(pool: Pool) -> None:
    message = pool.offer()
    pool.release("bob", pool.claim("bob", message))

    held = pool.claim("carol", message)

    pool.stage.settle()
    assert pool.holder(message) == "carol"
    pool.stage.ack(held, "carol")


def test_only_a_claim_is_released_and_only_once(pool: Pool) -> None:
    message = pool.offer()
    shown = pool.stage.lease_one()
    with pytest.raises(NotClaimedError):
        pool.release("bob", shown)
    held = pool.claim("bob", message)
    pool.release("bob", held)

    with pytest.raises(StaleLeaseError):
        pool.release("bob", held)


# --- dying between the steps ------------------------------------------------------------------


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
