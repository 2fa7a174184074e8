"""Claims: one of those to whom a message is offered has it, until it is done."""

import pytest

from broker.kernel.errors import (
    InvalidFieldsError,
    LeaseIsClaimError,
    MessageNotFoundError,
    NotClaimedError,
    StaleLeaseError,
    UnknownAgentError,
)
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.claims import ClaimDoneError, ClaimHeldError, NotClaimableError
from broker.messaging.delivery import Wanted
from tests.redis.conftest import MakeStage
from tests.redis.pool import POOL, Pool
from tests.redis.stage import HOUR_MS, ids, token

BOB, CAROL = AgentId("bob"), AgentId("carol")


def states(pool: Pool, message: MessageId) -> list[DeliveryState]:
    return [pool.stage.state(message, member) for member in pool.members]


# --- claiming --------------------------------------------------------------------------------


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
    message = pool.offer(ttl_ms=1_000)
    pool.stage.outlive(message)

    with pytest.raises(NotClaimableError, match="expired"):
        pool.claim("bob", message)


# --- finishing -------------------------------------------------------------------------------


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


# --- renewing and releasing ------------------------------------------------------------------


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
