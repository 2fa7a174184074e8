"""What could not be delivered: retry_dead.lua, resolve_dead.lua, trim_dead.lua, bury_all.lua."""

from typing import Any

import pytest

from broker.kernel.errors import DeadLetterNotFoundError, MessageNotFoundError, UnknownAgentError
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, DeadLetterId
from broker.messaging.dead_letters import (
    DeadLetter,
    DeadLetterClosedError,
    DeadLetterFilter,
    DeadLetterStatus,
)
from tests.redis.conftest import MakeStage
from tests.redis.stage import HOUR_MS, Stage, token

BOB = AgentId("bob")
NEVER = DeadLetterId("dlq_01ARZ3NDEKTSV4RRFFQ69G5FAV")


def letters(stage: Stage, **wanted: object) -> list[DeadLetter]:
    return stage.broker.dead_letters.find(DeadLetterFilter(**wanted), limit=100)[0]  # type: ignore[arg-type]


def a_death(stage: Stage, reason: str = "cannot", **fields: Any) -> DeadLetter:
    """Send a message that bob rejects for good."""
    identifier = stage.deliver(**fields)
    held = stage.lease_one()
    stage.broker.inboxes.reject(BOB, identifier, token(held), reason=reason, permanent=True)
    return letters(stage)[0]


def kill(stage: Stage) -> None:
    """Let bob's only message use up the last of its attempts."""
    held = stage.lease_one()
    stage.broker.inboxes.reject(BOB, held.message.id, token(held), reason="broken", delay_ms=0)


def test_a_dead_letter_tells_what_died_why_and_after_what(stage: Stage) -> None:
    identifier = stage.deliver(channel="ops")
    for _ in range(3):
        kill(stage)

    (letter,) = letters(stage)
    assert (letter.message_id, letter.agent_id, letter.attempts) == (identifier, BOB, 3)
    assert (letter.reason, letter.last_error) == ("attempts_exhausted", "broken")
    assert [attempt.number for attempt in letter.history] == [1, 2, 3]
    assert letter.status is DeadLetterStatus.OPEN
    assert stage.broker.dead_letters.get(letter.id) == letter


def test_a_retried_message_starts_anew_behind_what_has_come_since(stage: Stage) -> None:
    letter = a_death(stage)
    later = stage.deliver()

    stage.broker.dead_letters.retry(letter.id)

    assert stage.inbox() == [later, letter.message_id]
    stage.ack(stage.lease_one())
    again = stage.lease_one()
    assert (again.message.id, again.attempt) == (letter.message_id, 1)
    stage.ack(again)
    assert stage.state(letter.message_id) is DeliveryState.ACKNOWLEDGED
    assert letters(stage)[0].status is DeadLetterStatus.RETRIED


def test_a_message_retried_after_its_life_lives_once_more(stage: Stage) -> None:
    letter = a_death(stage, ttl_ms=1_000)
    stage.outlive(letter.message_id)

    stage.broker.dead_letters.retry(letter.id)

    assert stage.state(letter.message_id) is DeliveryState.QUEUED
    stage.ack(stage.lease_one())
    assert stage.state(letter.message_id) is DeliveryState.ACKNOWLEDGED


def test_a_letter_is_retried_or_resolved_once(stage: Stage) -> None:
    letter = a_death(stage)
    stage.broker.dead_letters.retry(letter.id)

    with pytest.raises(DeadLetterClosedError, match="retried"):
        stage.broker.dead_letters.retry(letter.id)
    with pytest.raises(DeadLetterClosedError, match="retried"):
        stage.broker.dead_letters.resolve(letter.id, "never mind")


def test_a_resolved_letter_keeps_its_resolution(stage: Stage) -> None:
    letter = a_death(stage)

    stage.broker.dead_letters.resolve(letter.id, "done by hand")

    resolved = stage.broker.dead_letters.get(letter.id)
    assert resolved.status is DeadLetterStatus.RESOLVED
    assert resolved.resolution == "done by hand"
    assert resolved.closed_at
    with pytest.raises(DeadLetterClosedError, match="resolved"):
        stage.broker.dead_letters.retry(letter.id)


def test_the_sender_learns_that_a_case_was_closed(stage: Stage) -> None:
    letter = a_death(stage)

    stage.broker.dead_letters.resolve(letter.id, "done by hand")

    assert stage.state(letter.message_id) is DeliveryState.RESOLVED


def test_a_refused_retry_does_not_prolong_the_record(stage: Stage) -> None:
    letter = a_death(stage)
    stage.broker.dead_letters.resolve(letter.id, "done by hand")
    record = stage.broker.keys.message(letter.message_id)
    before = stage.broker.redis.command("PTTL", record)

    with pytest.raises(DeadLetterClosedError):
        stage.broker.dead_letters.retry(letter.id)

    assert stage.broker.redis.command("PTTL", record) <= before


def test_what_is_not_kept_can_be_neither_read_nor_retried_nor_resolved(stage: Stage) -> None:
    with pytest.raises(DeadLetterNotFoundError):
        stage.broker.dead_letters.get(NEVER)
    with pytest.raises(DeadLetterNotFoundError):
        stage.broker.dead_letters.retry(NEVER)
    with pytest.raises(DeadLetterNotFoundError):
        stage.broker.dead_letters.resolve(NEVER, "x")


def test_a_letter_whose_message_has_left_can_only_be_resolved(stage: Stage) -> None:
    letter = a_death(stage)
    stage.broker.redis.command("DEL", stage.broker.keys.message(letter.message_id))

    with pytest.raises(MessageNotFoundError):
        stage.broker.dead_letters.retry(letter.id)
    stage.broker.dead_letters.resolve(letter.id, "lost")


def test_letters_are_found_by_what_they_are_about(stage: Stage) -> None:
    stage.register("carol")
    first = a_death(stage, channel="ops")
    second = a_death(stage, channel="dev", sender="carol")

    assert [one.id for one in letters(stage)] == [second.id, first.id]
    assert [one.id for one in letters(stage, channel="ops")] == [first.id]
    assert [one.id for one in letters(stage, sender=AgentId("carol"))] == [second.id]
    assert [one.id for one in letters(stage, reason="rejected")] == [second.id, first.id]
    assert letters(stage, reason="attempts_exhausted") == []
    assert letters(stage, agent_id=AgentId("carol")) == []


def test_letters_are_listed_page_by_page(stage: Stage) -> None:
    expected = [a_death(stage).id for _ in range(5)][::-1]

    seen: list[DeadLetterId] = []
    before = None
    while True:
        page, before = stage.broker.dead_letters.find(DeadLetterFilter(), limit=2, before=before)
        seen += [one.id for one in page]
        if before is None:
            break

    assert seen == expected


def test_many_are_retried_or_resolved_by_filter(stage: Stage) -> None:
    ops = [a_death(stage, channel="ops") for _ in range(2)]
    dev = a_death(stage, channel="dev")
    letters_of = stage.broker.dead_letters

    retried = letters_of.retry_matching(DeadLetterFilter(channel="ops"), limit=10)
    resolved = letters_of.resolve_matching(DeadLetterFilter(), "enough", limit=10)

    assert {name for name, refused in retried if refused is None} == {one.id for one in ops}
    assert resolved == [(dev.id, None)]


def test_a_death_by_failures_is_retried_by_itself_with_growing_waits(make_stage: MakeStage) -> None:
    stage = make_stage(max_attempts=1, dead_letter_retry_seconds=100, dead_letter_max_retries=2)
    identifier = stage.deliver()
    due = stage.broker.keys.dead_due(stage.broker.keys.partition_for(BOB))

    waits = []
    for _ in range(2):
        kill(stage)
        letter = letters(stage, status=DeadLetterStatus.OPEN)[0]
        assert letter.next_retry_at is not None
        waits.append((letter.next_retry_at - letter.failed_at) // 1000)
        stage.shift(due, -HOUR_MS)
        stage.settle()
        assert stage.inbox() == [identifier]
    kill(stage)

    assert waits == [100, 200]
    last = letters(stage, status=DeadLetterStatus.OPEN)[0]
    assert (last.retry_count, last.next_retry_at) == (2, None)


def test_an_automatic_retry_that_can_never_succeed_is_given_up(make_stage: MakeStage) -> None:
    stage = make_stage(max_attempts=1)
    identifier = stage.deliver()
    kill(stage)
    stage.broker.redis.command("DEL", stage.broker.keys.message(identifier))
    due = stage.broker.keys.dead_due(stage.broker.keys.partition_for(BOB))
    stage.shift(due, -HOUR_MS)

    stage.settle()

    assert stage.broker.redis.command("ZCARD", due) == 0
    assert letters(stage)[0].status is DeadLetterStatus.OPEN


def test_letters_leave_after_their_retention(make_stage: MakeStage) -> None:
    stage = make_stage(dead_letter_retention_seconds=HOUR_MS // 1000)
    old, new = a_death(stage), a_death(stage)
    index = stage.broker.keys.dead_index(stage.broker.keys.partition_for(BOB))
    stage.broker.redis.command("ZINCRBY", index, -2 * HOUR_MS, old.id)

    assert stage.broker.settlement.trim() == 1

    assert [one.id for one in letters(stage)] == [new.id]


def test_what_waits_for_a_deleted_agent_becomes_dead_letters(stage: Stage) -> None:
    queued, leased = stage.deliver(), stage.deliver(priority=9)
    stage.lease_one()

    stage.broker.agents.delete(BOB)

    assert {one.message_id for one in letters(stage)} == {queued, leased}
    assert {one.reason for one in letters(stage)} == {"agent_deleted"}
    with pytest.raises(UnknownAgentError):
        stage.broker.dead_letters.retry(letters(stage)[0].id)
    assert stage.state(queued) is DeliveryState.DEAD
