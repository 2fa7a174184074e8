"""Giving messages back, holding them longer, reading them: reject, extend, mark_read, returns."""

import pytest

from broker.kernel.errors import MessageNotFoundError, StaleEpochError, StaleLeaseError
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, LeaseToken, MessageId
from broker.messaging.delivery import Rejected
from tests.redis.conftest import MakeStage
from tests.redis.stage import HOUR_MS, Stage, acknowledgement, ids, token

BOB = AgentId("bob")
NEVER = MessageId("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV")


def reject(stage: Stage, reason: str = "busy", **options: int | bool) -> Rejected:
    delivered = stage.lease_one()
    return stage.broker.inboxes.reject(
        BOB,
        delivered.message.id,
        token(delivered),
        reason=reason,
        **options,  # type: ignore[arg-type]
    )


def test_a_rejected_message_waits_and_comes_again_with_its_history(stage: Stage) -> None:
    identifier = stage.deliver()

    rejected = reject(stage, delay_ms=HOUR_MS)

    assert rejected.state is DeliveryState.WAITING
    assert rejected.next_attempt_at is not None
    assert stage.lease() == []
    assert stage.state(identifier) is DeliveryState.WAITING
    stage.pass_time()
    again = stage.lease_one()
    assert (again.message.id, again.attempt) == (identifier, 2)
    (attempt,) = stage.receipt(identifier).history
    assert (attempt.number, attempt.outcome, attempt.reason) == (1, "rejected", "busy")


def test_a_message_rejected_without_delay_can_be_leased_at_once(stage: Stage) -> None:
    identifier = stage.deliver()

    reject(stage, delay_ms=0)

    assert stage.lease_one().message.id == identifier


def test_without_a_delay_the_wait_is_exponential_with_full_jitter(make_stage: MakeStage) -> None:
    stage = make_stage(retry_delay_seconds=100, retry_max_delay_seconds=250, max_attempts=5)
    stage.deliver()
    random = stage.broker.inboxes._random
    random.random = lambda: 0.5  # type: ignore[method-assign]

    waits = []
    for _ in range(4):
        now = stage.now()
        rejected = reject(stage)
        assert rejected.next_attempt_at is not None
        waits.append(round((rejected.next_attempt_at - now) / 1000))
        stage.pass_time()

    for wait, expected in zip(waits, [50, 100, 125, 125], strict=True):
        assert expected <= wait <= expected + 2


def test_a_message_rejected_for_the_last_time_becomes_a_dead_letter(make_stage: MakeStage) -> None:
    stage = make_stage(max_attempts=2)
    identifier = stage.deliver()
    reject(stage, delay_ms=0)

    rejected = reject(stage, reason="still busy")

    assert rejected == Rejected(state=DeliveryState.DEAD)
    assert stage.state(identifier) is DeliveryState.DEAD
    assert stage.inbox() == []


def test_a_message_may_bring_its_own_limit_of_attempts(stage: Stage) -> None:
    stage.deliver(max_attempts=1)

    assert reject(stage).state is DeliveryState.DEAD


def test_a_permanent_rejection_is_final_at_the_first_attempt(stage: Stage) -> None:
    stage.deliver()

    assert reject(stage, permanent=True).state is DeliveryState.DEAD


def test_a_rejection_after_the_end_of_the_messages_life_is_its_expiry(stage: Stage) -> None:
    identifier = stage.deliver(ttl_ms=1_000)
    delivered = stage.lease_one(lease_ms=60_000)
    stage.outlive(identifier)

    rejected = stage.broker.inboxes.reject(BOB, identifier, token(delivered))

    assert rejected.state is DeliveryState.EXPIRED
    assert stage.state(identifier) is DeliveryState.EXPIRED


def test_a_stale_token_can_neither_reject_nor_extend(stage: Stage) -> None:
    identifier = stage.deliver()
    old = stage.lease_one()
    stage.pass_time()
    current = stage.lease_one()

    with pytest.raises(StaleLeaseError):
        stage.broker.inboxes.reject(BOB, identifier, token(old))
    with pytest.raises(StaleLeaseError):
        stage.broker.inboxes.extend(BOB, identifier, token(old), lease_ms=1000)
    stage.ack(current)
    with pytest.raises(StaleLeaseError):
        stage.broker.inboxes.reject(BOB, identifier, token(current))
    with pytest.raises(StaleLeaseError):
        stage.broker.inboxes.extend(BOB, identifier, token(current), lease_ms=1000)


def test_what_is_in_no_inbox_cannot_be_rejected_extended_or_read(stage: Stage) -> None:
    guessed = LeaseToken("1-guessed")
    with pytest.raises(MessageNotFoundError):
        stage.broker.inboxes.reject(BOB, NEVER, guessed)
    with pytest.raises(MessageNotFoundError):
        stage.broker.inboxes.extend(BOB, NEVER, guessed, lease_ms=1000)
    with pytest.raises(MessageNotFoundError):
        stage.broker.inboxes.mark_read(BOB, NEVER)


def test_a_superseded_session_can_neither_reject_nor_extend_nor_read(stage: Stage) -> None:
    identifier = stage.deliver()
    held = stage.lease_one()

    with pytest.raises(StaleEpochError):
        stage.broker.inboxes.reject(BOB, identifier, token(held), epoch=0)
    with pytest.raises(StaleEpochError):
        stage.broker.inboxes.extend(BOB, identifier, token(held), lease_ms=1000, epoch=0)
    with pytest.raises(StaleEpochError):
        stage.broker.inboxes.mark_read(BOB, identifier, epoch=0)


def test_an_extended_lease_outlives_its_first_end(stage: Stage) -> None:
    identifier = stage.deliver()
    held = stage.lease_one(lease_ms=HOUR_MS // 2)
    assert held.lease is not None

    until = stage.broker.inboxes.extend(BOB, identifier, token(held), lease_ms=2 * HOUR_MS)

    assert until > held.lease.expires_at
    stage.pass_time(ms=HOUR_MS)
    stage.settle()
    stage.ack(held)


def test_a_lease_may_be_extended_to_an_earlier_end(stage: Stage) -> None:
    identifier = stage.deliver()
    held = stage.lease_one(lease_ms=2 * HOUR_MS)

    stage.broker.inboxes.extend(BOB, identifier, token(held), lease_ms=1000)

    stage.pass_time()
    assert ids(stage.lease()) == [identifier]


def test_reading_is_noted_once_with_or_without_a_lease(stage: Stage) -> None:
    identifier = stage.deliver()

    first = stage.broker.inboxes.mark_read(BOB, identifier)
    stage.ack(stage.lease_one())
    again = stage.broker.inboxes.mark_read(BOB, identifier)

    assert first == again == stage.receipt(identifier).read_at


def test_what_is_given_back_unworked_uses_up_no_attempt(stage: Stage) -> None:
    identifier = stage.deliver(max_attempts=1)
    for _ in range(3):
        held = stage.lease_one()
        assert stage.broker.inboxes.give_back(BOB, [acknowledgement(held)]) == 1

    again = stage.lease_one()
    assert (again.message.id, again.attempt) == (identifier, 1)
    with pytest.raises(StaleLeaseError):
        stage.ack(held)


def test_only_the_holder_of_the_token_gives_back(stage: Stage) -> None:
    stage.deliver()
    old = stage.lease_one()
    stage.pass_time()
    current = stage.lease_one()

    assert stage.broker.inboxes.give_back(BOB, [acknowledgement(old)]) == 0
    assert stage.broker.inboxes.give_back(BOB, []) == 0
    stage.ack(current)


def test_all_leases_of_an_ended_session_return_and_count(stage: Stage) -> None:
    stage.broker.queue.send_many([stage.draft() for _ in range(450)])
    stage.route()
    stage.lease(limit=450)

    assert stage.broker.inboxes.return_all(BOB) == 450

    assert {one.attempt for one in stage.lease(limit=450)} == {2}


def test_a_return_after_the_last_attempt_is_a_death(make_stage: MakeStage) -> None:
    stage = make_stage(max_attempts=1)
    identifier = stage.deliver()
    stage.lease_one()

    stage.broker.inboxes.return_all(BOB)

    assert stage.state(identifier) is DeliveryState.DEAD
