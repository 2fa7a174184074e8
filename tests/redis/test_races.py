"""Each transition raced by concurrent callers, each with connections of its own."""

from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from broker.kernel.errors import BrokerError, ConflictError
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.dead_letters import DeadLetterFilter
from broker.messaging.queue import Accepted
from tests.redis.conftest import MakeStage
from tests.redis.racing import race, succeeded
from tests.redis.stage import HOUR_MS, Stage, ids, token

BOB = AgentId("bob")
CALLERS = 8


@pytest.fixture
def stages(make_stage: MakeStage) -> list[Stage]:
    """One stage a caller, all of the same namespace."""
    return [make_stage() for _ in range(CALLERS)]


def test_many_readers_of_one_inbox_share_its_messages_without_overlap(stages: list[Stage]) -> None:
    sent = [
        result.id
        for result in stages[0].broker.queue.send_many([stages[0].draft() for _ in range(200)])
        if isinstance(result, Accepted)
    ]
    stages[0].route()

    def read(stage: Stage) -> list[MessageId]:
        got: list[MessageId] = []
        while leased := ids(stage.lease(limit=7)):
            got += leased
        return got

    shares = succeeded(race(*(partial(read, stage) for stage in stages)))

    assert Counter(name for share in shares for name in share) == Counter(sent)


def test_many_readers_of_one_message_have_one_winner(stages: list[Stage]) -> None:
    for _ in range(10):
        identifier = stages[0].deliver()

        shares = succeeded(race(*(stage.lease for stage in stages)))

        (held,) = [one for share in shares for one in share]
        assert held.message.id == identifier
        stages[0].ack(held)


def test_an_acknowledgement_and_a_negative_one_have_one_winner(stages: list[Stage]) -> None:
    one, other = stages[:2]
    for _ in range(20):
        identifier = one.deliver()
        held = one.lease_one()
        reject = partial(other.broker.inboxes.reject, BOB, identifier, token(held), permanent=True)

        results = race(partial(one.ack, held), reject)

        assert len(succeeded(results)) == 1
        state = one.state(identifier)
        won = DeliveryState.ACKNOWLEDGED if results[0] is None else DeliveryState.DEAD
        assert state is won


def test_an_acknowledgement_and_the_end_of_its_lease_have_one_winner(stages: list[Stage]) -> None:
    def settle_until_ended(name: MessageId) -> None:
        while stages[1].state(name) is DeliveryState.LEASED:
            stages[1].settle()

    for _ in range(20):
        identifier = stages[0].deliver(max_attempts=10)
        held = stages[0].lease_one(lease_ms=5)

        result, _ = race(partial(stages[0].ack, held), partial(settle_until_ended, identifier))

        if isinstance(result, BrokerError):
            assert isinstance(result, ConflictError)
            again = stages[0].lease_one()
            assert (again.message.id, again.attempt) == (identifier, 2)
            stages[0].ack(again)
        assert stages[0].state(identifier) is DeliveryState.ACKNOWLEDGED
        assert stages[0].lease() == []


def test_a_cancellation_and_a_lease_have_one_winner(stages: list[Stage]) -> None:
    one, other = stages[:2]
    for _ in range(20):
        identifier = one.deliver()

        cancelled, leased = race(partial(one.broker.withdrawals.cancel, identifier), other.lease)

        assert isinstance(leased, list)
        assert (cancelled is None) == (leased == [])
        expected = DeliveryState.CANCELLED if cancelled is None else DeliveryState.LEASED
        assert one.state(identifier) is expected
        one.broker.inboxes.bury_all(BOB)


def test_a_superseded_message_is_leased_or_withdrawn_never_both(stages: list[Stage]) -> None:
    one, other = stages[:2]
    for _ in range(20):
        old = one.deliver()

        new, leased = race(partial(one.deliver, supersedes=old), other.lease)

        assert isinstance(leased, list)
        got = ids(leased) + ids(one.lease())
        states = one.state(old)
        assert new in got
        assert (old in got) == (states is DeliveryState.LEASED)
        assert (old not in got) == (states is DeliveryState.SUPERSEDED)
        one.broker.inboxes.bury_all(BOB)


def test_a_lease_is_extended_or_rejected_but_stays_in_one_place(stages: list[Stage]) -> None:
    one, other = stages[:2]
    for _ in range(20):
        identifier = one.deliver(max_attempts=10)
        secret = token(one.lease_one())

        race(
            partial(one.broker.inboxes.extend, BOB, identifier, secret, lease_ms=HOUR_MS),
            partial(other.broker.inboxes.reject, BOB, identifier, secret, delay_ms=HOUR_MS),
        )

        assert one.state(identifier) is DeliveryState.WAITING
        assert one.broker.redis.command("ZCARD", one.broker.keys.leased(BOB)) == 0
        one.broker.inboxes.bury_all(BOB)


def test_returns_of_an_ended_session_and_its_acknowledgements_lose_nothing(
    stages: list[Stage],
) -> None:
    stages[0].broker.queue.send_many([stages[0].draft(max_attempts=10) for _ in range(50)])
    stages[0].route()
    held = stages[0].lease(limit=50)

    results = race(
        partial(stages[1].broker.inboxes.return_all, BOB),
        *(partial(stages[0].ack, one) for one in held),
    )

    finished = [r for r in results[1:] if not isinstance(r, BrokerError)]
    assert len(stages[0].inbox()) == 50 - len(finished)


def test_a_dead_letter_is_retried_or_resolved_once(stages: list[Stage]) -> None:
    for _ in range(10):
        identifier = stages[0].deliver()
        stages[0].broker.inboxes.reject(
            BOB, identifier, token(stages[0].lease_one()), permanent=True
        )
        (letter,), _ = stages[0].broker.dead_letters.find(DeadLetterFilter(), limit=1)
        calls: list[Callable[[], object]] = [
            *(partial(stage.broker.dead_letters.retry, letter.id) for stage in stages[:4]),
            *(partial(stage.broker.dead_letters.resolve, letter.id, "x") for stage in stages[4:]),
        ]

        results = race(*calls)

        assert len(succeeded(results)) == 1
        retried = any(result == identifier for result in results)
        assert stages[0].inbox() == ([identifier] if retried else [])
        stages[0].broker.inboxes.bury_all(BOB)
