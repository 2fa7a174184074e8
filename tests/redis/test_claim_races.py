"""Claims raced by concurrent callers, each with connections of its own: one winner, always."""

from functools import partial

import pytest

from broker.kernel.errors import BrokerError, ConflictError
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.claims import ClaimDoneError, ClaimHeldError
from broker.messaging.delivery import Delivered
from tests.redis.conftest import MakeStage
from tests.redis.pool import POOL, Pool
from tests.redis.racing import race, succeeded
from tests.redis.stage import HOUR_MS, token

BOB = AgentId("bob")
CLAIMERS = tuple(f"claimer-{number}" for number in range(100))


@pytest.fixture
def pools(make_stage: MakeStage) -> list[Pool]:
    """One stage a caller, all of the same namespace."""
    stages = [make_stage() for _ in range(6)]
    stages[0].register("carol", "dora")
    return [Pool(stage=stage) for stage in stages]


def test_of_a_hundred_claimers_one_wins(pools: list[Pool]) -> None:
    pools[0].stage.register(*CLAIMERS)
    crowd = [Pool(stage=pool.stage, members=CLAIMERS) for pool in pools]
    for _ in range(5):
        message = crowd[0].offer()

        results = race(
            *(
                partial(crowd[number % len(crowd)].claim, name, message)
                for number, name in enumerate(CLAIMERS)
            )
        )

        (winner,) = succeeded(results)
        assert crowd[0].holders(message) == [CLAIMERS[results.index(winner)]]
        assert {type(one) for one in results if one is not winner} == {ClaimHeldError}


def test_whoever_wins_when_a_claim_ends_is_the_only_one(pools: list[Pool]) -> None:
    for _ in range(10):
        message = pools[0].offer(max_attempts=100)
        pools[0].claim("bob", message)
        pools[0].pass_time(message)

        results = race(
            *(
                partial(pool.claim, member, message)
                for pool, member in zip(pools, POOL * 2, strict=False)
            ),
            pools[0].stage.settle,
        )

        won = [one for one in results if isinstance(one, Delivered)]
        assert len({token(one) for one in won}) <= 1
        assert len(pools[0].holders(message)) == min(1, len(won))


def test_an_acknowledgement_and_a_takeover_have_one_winner(pools: list[Pool]) -> None:
    one, other, third = pools[:3]
    for _ in range(20):
        message = one.offer(max_attempts=100)
        held = one.claim("bob", message, claim_ms=3)

        def take_over(pool: Pool = other, message: MessageId = message) -> Delivered:
            while True:
                try:
                    return pool.claim("carol", message)
                except ClaimHeldError:
                    continue

        acknowledged, taken, _ = race(partial(one.stage.ack, held), take_over, third.stage.settle)

        if acknowledged is None:
            assert isinstance(taken, ClaimDoneError)
        else:
            assert isinstance(acknowledged, ConflictError)
            assert one.holders(message) == ["carol"]


def test_a_release_and_a_renewal_leave_no_claim_without_a_holder(pools: list[Pool]) -> None:
    one, other = pools[:2]
    for _ in range(20):
        message = one.offer()
        held = one.claim("bob", message)

        released, _ = race(partial(one.release, "bob", held), partial(other.renew, "bob", held))

        assert released is None
        one.stage.settle()
        assert one.holder(message) is None
        one.claim("carol", message)


def test_a_renewal_and_a_takeover_have_one_winner(pools: list[Pool]) -> None:
    one, other = pools[:2]
    for _ in range(20):
        message = one.offer(max_attempts=100)
        held = one.claim("bob", message, claim_ms=3)

        def take_over(pool: Pool = other, message: MessageId = message) -> Delivered | None:
            for _ in range(20):
                try:
                    return pool.claim("carol", message)
                except ClaimHeldError:
                    continue
            return None

        renewed, taken = race(partial(one.renew, "bob", held), take_over)

        one.stage.settle()
        if taken is None:
            # Where the claim moved and the lease had ended, the claim is over as well.
            expected = [] if isinstance(renewed, BrokerError) else ["bob"]
        else:
            assert isinstance(renewed, ConflictError)
            expected = ["carol"]
        assert one.holders(message) == expected


def test_the_same_agent_twice_at_once_has_one_claim(pools: list[Pool]) -> None:
    for _ in range(10):
        message = pools[0].offer()

        claims = race(*(partial(pool.claim, "bob", message) for pool in pools))

        assert {(token(one), one.attempt) for one in claims} == {(token(claims[0]), 1)}


def test_a_claim_and_a_cancellation_agree(pools: list[Pool]) -> None:
    one, other = pools[:2]
    for _ in range(20):
        message = one.offer()

        cancel = partial(other.stage.broker.withdrawals.cancel, message)
        claimed, _ = race(partial(one.claim, "bob", message), cancel)

        one.stage.settle()
        if isinstance(claimed, BrokerError):
            assert one.stage.state(message) is DeliveryState.CANCELLED
            assert one.holder(message) is None
        else:
            assert one.holders(message) == ["bob"]
            one.stage.ack(claimed)


def test_fetching_while_others_claim_and_release_hides_nothing_for_long(pools: list[Pool]) -> None:
    """A claim that ends just when its offer is put aside must not leave it aside."""
    one, other = pools[:2]
    message = one.offer()

    def claim_and_release() -> None:
        for _ in range(30):
            one.release("bob", one.claim("bob", message, claim_ms=HOUR_MS))
            one.stage.settle()

    def fetch() -> None:
        for _ in range(60):
            other.stage.lease("carol", lease_ms=1)

    assert not any(isinstance(one, BrokerError) for one in race(claim_and_release, fetch))

    one.stage.pass_time("carol", ms=1000)
    one.stage.settle()
    assert one.stage.inbox("carol") == [message]
