"""Recurring messages on a real Redis: what is sent, when, and how that can be changed."""

import dataclasses

import pytest

from broker.kernel.clock import rfc3339
from broker.kernel.errors import (
    IdempotencyConflictError,
    RecurringNotFoundError,
)
from broker.kernel.ids import AgentId, RecurringId, partition_of
from broker.messaging.recurrence import CATCH_UP_MOST, CatchUp
from broker.messaging.recurring import (
    RecurringEndedError,
)
from broker.messaging.recurring_definition import RecurringRequest, RecurringState
from broker.messaging.recurring_store import TurnOutcome
from tests.redis.recurring_scene import HOUR, SECOND, Scene


def test_a_slot_is_sent_when_its_time_comes_and_not_before(scene: Scene) -> None:
    made = scene.every("interval:60")

    scene.calendar.pass_seconds(59.999)
    assert scene.recurring.fire(made.id) == 0
    scene.calendar.pass_seconds(0.001)
    assert scene.recurring.fire(made.id) == 1
    assert scene.recurring.fire(made.id) == 0

    assert scene.bodies() == ["hello"]
    after = scene.recurring.get(made.id)
    assert after.sent == 1
    assert after.next_at == made.definition.created_at + 120 * SECOND


def test_the_id_carries_the_partition_of_the_sender(scene: Scene) -> None:
    made = scene.every()

    keys = scene.broker.keys
    assert partition_of(made.id, keys.partitions) == keys.partition_for(AgentId("alice"))


def test_the_template_is_filled_in_for_each_slot(scene: Scene) -> None:
    body = "{{count}} of {{id}} at {{scheduled_at}}, now {{now}}"
    made = scene.every(template=scene.draft(body=body, subject="for {{date}}"))
    scene.calendar.pass_seconds(62)
    scene.recurring.fire(made.id)
    scene.calendar.pass_seconds(60)
    scene.recurring.fire(made.id)

    scene.route()
    first, second = (delivered.message for delivered in scene.lease())

    start = made.definition.created_at
    slot, now = rfc3339(start + 60_000), rfc3339(start + 62_000)
    assert first.body == f"1 of {made.id} at {slot}, now {now}"
    assert first.subject == f"for {slot[:10]}"
    assert second.body is not None
    assert second.body.startswith("2 of")
    assert first.correlation_id == made.id


def test_the_date_is_that_of_the_time_zone(scene: Scene) -> None:
    made = scene.every(
        "0 0 * * *",
        timezone="Pacific/Kiritimati",
        template=scene.draft(body="{{date}} {{scheduled_at}}"),
    )
    assert made.next_at is not None
    scene.calendar.now = made.next_at

    scene.recurring.fire(made.id)

    (body,) = scene.bodies()
    assert body is not None
    date, moment = body.split()
    assert moment.endswith("T10:00:00.000Z")
    assert date > moment[:10]


def test_a_message_keeps_what_its_template_says(scene: Scene) -> None:
    template = scene.draft(priority=9, kind="task", payload=b'{"n":12345678901234567890}', ttl_ms=5)
    template = dataclasses.replace(template, correlation_id="mine", meta=b"{}", thread_id="t")  # type: ignore[arg-type] # a thread's name
    made = scene.every(template=dataclasses.replace(template, ttl_ms=HOUR))
    scene.calendar.pass_seconds(60)
    scene.recurring.fire(made.id)

    scene.route()
    message = scene.lease_one().message

    assert (message.priority, message.kind, message.payload) == (
        9,
        "task",
        b'{"n":12345678901234567890}',
    )
    assert (message.correlation_id, message.thread_id, message.meta) == ("mine", "t", b"{}")
    assert message.expires_at == scene.calendar.now + HOUR


# --- what was missed --------------------------------------------------------------------------


def test_slots_that_are_late_by_less_than_ten_seconds_are_all_sent(scene: Scene) -> None:
    made = scene.every("interval:1")
    scene.calendar.pass_seconds(9)

    assert scene.recurring.fire(made.id) == 9

    assert len(scene.bodies()) == 9
    assert scene.recurring.get(made.id).missed == 0


def test_missed_slots_are_skipped_and_counted_in_the_history(scene: Scene) -> None:
    made = scene.every("interval:60")
    scene.calendar.pass_seconds(3601)

    scene.recurring.fire(made.id)

    assert scene.bodies() == ["hello"]
    assert scene.outcomes(made) == [(3600_000, TurnOutcome.SENT), (60_000, TurnOutcome.MISSED)]
    after = scene.recurring.get(made.id)
    assert (after.sent, after.missed) == (1, 59)
    assert scene.recurring.history(made.id, limit=2)[0][1].count == 59


def test_missed_slots_are_caught_up_in_order(scene: Scene) -> None:
    made = scene.every(
        "interval:60", catch_up=CatchUp.CATCH_UP, template=scene.draft(body="{{scheduled_at}}")
    )
    scene.calendar.pass_seconds(3601)

    scene.recurring.fire(made.id)

    start = made.definition.created_at
    assert scene.bodies() == [rfc3339(start + n * 60_000) for n in range(1, 61)]
    assert scene.recurring.get(made.id).missed == 0


def test_catching_up_is_bounded_to_the_newest(scene: Scene) -> None:
    made = scene.every("interval:1", catch_up=CatchUp.CATCH_UP)
    scene.calendar.pass_seconds(86_400)

    while scene.recurring.fire(made.id):
        pass

    after = scene.recurring.get(made.id)
    assert (after.sent, after.missed) == (CATCH_UP_MOST, 86_400 - CATCH_UP_MOST)
    assert len(scene.bodies()) == CATCH_UP_MOST


def test_a_clock_set_back_sends_nothing_twice(scene: Scene) -> None:
    made = scene.every("interval:60")
    scene.calendar.pass_seconds(60)
    scene.recurring.fire(made.id)

    scene.calendar.pass_seconds(-60)
    scene.recurring.pause(made.id)
    scene.recurring.resume(made.id)
    scene.calendar.pass_seconds(60)
    scene.recurring.fire(made.id)

    assert scene.bodies() == ["hello"]


# --- the end ----------------------------------------------------------------------------------


def test_a_single_time_is_sent_once_and_finished(scene: Scene) -> None:
    made = scene.every(f"at:{rfc3339(scene.calendar.now + 5_000)}")
    scene.calendar.pass_seconds(5)

    scene.recurring.fire(made.id)

    after = scene.recurring.get(made.id)
    assert (after.state, after.sent, after.next_at) == (RecurringState.FINISHED, 1, None)
    assert scene.bodies() == ["hello"]


def test_no_slot_is_sent_at_or_after_the_expiry(scene: Scene) -> None:
    made = scene.every("interval:60", expires_at=scene.calendar.now + 180_000)
    for _ in range(5):
        scene.calendar.pass_seconds(60)
        scene.recurring.fire(made.id)

    assert scene.recurring.get(made.id).state is RecurringState.EXPIRED
    assert len(scene.bodies()) == 2


def test_one_that_ended_stays_readable_for_the_retention_and_then_leaves(scene: Scene) -> None:
    made = scene.every()
    scene.recurring.cancel(made.id)
    assert scene.recurring.find(limit=10)[0][0].state is RecurringState.CANCELLED
    keys, redis = scene.broker.keys, scene.broker.redis
    index = keys.recurring_index(keys.partition_of(made.id))
    assert 0 < redis.command("PTTL", keys.recurring(made.id)) <= 86_400_000

    redis.command("DEL", keys.recurring(made.id))
    scene.calendar.pass_seconds(86_400 + 5)
    scene.recurring.fire_overdue()

    assert redis.command("ZCARD", index) == 0
    with pytest.raises(RecurringNotFoundError):
        scene.recurring.get(made.id)


# --- pausing, resuming, cancelling ------------------------------------------------------------


def test_no_slot_is_sent_while_it_is_paused_and_none_of_them_later(scene: Scene) -> None:
    made = scene.every("interval:60", catch_up=CatchUp.CATCH_UP)
    paused = scene.recurring.pause(made.id)
    scene.calendar.pass_seconds(600)
    assert scene.recurring.fire(made.id) == 0

    resumed = scene.recurring.resume(made.id)

    assert (paused.state, paused.next_at) == (RecurringState.PAUSED, None)
    assert resumed.state is RecurringState.ACTIVE
    assert resumed.next_at == made.definition.created_at + 660_000
    assert scene.recurring.fire(made.id) == 0
    scene.calendar.pass_seconds(60)
    assert scene.recurring.fire(made.id) == 1
    assert len(scene.bodies()) == 1


def test_pausing_resuming_and_cancelling_twice_is_the_same_as_once(scene: Scene) -> None:
    made = scene.every()

    scene.recurring.pause(made.id)
    assert scene.recurring.pause(made.id).state is RecurringState.PAUSED
    scene.recurring.resume(made.id)
    assert scene.recurring.resume(made.id).state is RecurringState.ACTIVE
    scene.recurring.cancel(made.id)
    assert scene.recurring.cancel(made.id).state is RecurringState.CANCELLED


def test_one_that_ended_cannot_be_changed(scene: Scene) -> None:
    made = scene.every()
    scene.recurring.cancel(made.id)

    with pytest.raises(RecurringEndedError):
        scene.recurring.pause(made.id)
    with pytest.raises(RecurringEndedError):
        scene.recurring.resume(made.id)


def test_one_whose_time_passed_in_a_pause_cannot_be_resumed(scene: Scene) -> None:
    made = scene.every(f"at:{rfc3339(scene.calendar.now + 5_000)}")
    scene.recurring.pause(made.id)
    scene.calendar.pass_seconds(10)

    with pytest.raises(RecurringEndedError):
        scene.recurring.resume(made.id)

    assert scene.recurring.cancel(made.id).state is RecurringState.CANCELLED


def test_what_is_not_there_is_not_found(scene: Scene) -> None:
    nobody = RecurringId("rec_01JZX5W0QK8M3T5V7X9Z1B3D5F")

    assert scene.recurring.fire(nobody) == 0
    for call in (
        scene.recurring.get,
        scene.recurring.pause,
        scene.recurring.resume,
        scene.recurring.cancel,
    ):
        with pytest.raises(RecurringNotFoundError):
            call(nobody)


def test_a_repeated_idempotency_key_finds_what_was_begun_first(scene: Scene) -> None:
    request = RecurringRequest(
        template=scene.draft(), schedule="interval:60", idempotency_key="stand-up"
    )
    first, created = scene.recurring.create(request)
    assert created

    scene.calendar.pass_seconds(30)

    assert scene.recurring.create(request) == (first, False)
    assert scene.recurring.find(limit=10) == ([first], None)
    other = dataclasses.replace(request, schedule="interval:61")
    with pytest.raises(IdempotencyConflictError):
        scene.recurring.create(other)


def test_a_repeat_is_answered_though_its_only_slot_has_passed(scene: Scene) -> None:
    request = RecurringRequest(
        template=scene.draft(),
        schedule=f"at:{rfc3339(scene.calendar.now + HOUR)}",
        idempotency_key="once",
    )
    first, _ = scene.recurring.create(request)

    scene.calendar.pass_seconds(2 * 3600)

    repeated, created = scene.recurring.create(request)
    assert (repeated.id, created) == (first.id, False)


def test_an_idempotency_key_is_its_senders_own(scene: Scene) -> None:
    scene.register("alice", "bob")
    made = [
        scene.recurring.create(
            RecurringRequest(
                template=scene.draft(*couple), schedule="interval:60", idempotency_key="stand-up"
            )
        )
        for couple in (("alice", "bob"), ("bob", "alice"))
    ]

    assert [created for _, created in made] == [True, True]


def test_without_a_key_each_is_another(scene: Scene) -> None:
    assert scene.every().id != scene.every().id


def test_the_messages_of_its_slots_have_no_key(scene: Scene) -> None:
    made = scene.every(idempotency_key="stand-up")

    scene.calendar.pass_seconds(121)
    scene.recurring.fire(made.id)
    scene.calendar.pass_seconds(60)
    scene.recurring.fire(made.id)

    assert len(scene.bodies()) == 2
