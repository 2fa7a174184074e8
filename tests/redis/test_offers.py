"""Offers: what those see and may do to whom a claimable message goes."""

import pytest

from broker.kernel.errors import (
    NotClaimedError,
)
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.claims import NotClaimableError
from broker.messaging.dead_letters import DeadLetterFilter
from tests.redis.pool import POOL, Pool
from tests.redis.stage import HOUR_MS, ids, token

BOB = AgentId("bob")
NOBODY = DeliveryState.QUEUED


def states(pool: Pool, message: MessageId) -> list[DeliveryState]:
    return [pool.stage.state(message, member) for member in pool.members]


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
