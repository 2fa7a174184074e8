"""Recurring messages on a real Redis: what is sent, when, and how that can be changed."""

import dataclasses
from collections.abc import Iterator

import pytest

from broker.kernel.clock import rfc3339, system_clock
from broker.kernel.errors import (
    InvalidFieldsError,
    RecurringNotFoundError,
    UnknownAgentError,
)
from broker.kernel.ids import AgentId, RecurringId, partition_of
from broker.messaging.message import Draft
from broker.messaging.recurrence import CATCH_UP_MOST, CatchUp
from broker.messaging.recurring import (
    RecurringEndedError,
    RecurringMessages,
    RecurringRequest,
)
from broker.messaging.recurring_definition import Recurring, RecurringState
from broker.messaging.recurring_store import TurnOutcome
from broker.wiring import Broker, build_broker
from tests.conftest import MakeSettings
from tests.redis.stage import Stage

SECOND = 1_000
HOUR = 3_600 * SECOND


@dataclasses.dataclass(kw_only=True)
class Calendar:
    """A clock that a test moves."""

    now: int

    def __call__(self) -> int:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene(Stage):
    """A stage whose clock stands still."""

    calendar: Calendar

    @property
    def recurring(self) -> RecurringMessages:
        return self.broker.recurring

    def every(self, schedule: str = "interval:60", **fields: object) -> Recurring:
        request: dict[str, object] = {"template": self.draft(), "schedule": schedule} | fields
        return self.recurring.create(RecurringRequest(**request))  # type: ignore[arg-type] # a test knows

    def bodies(self) -> list[str | None]:
        self.route()
        return [delivered.message.body for delivered in self.lease(limit=1000)]

    def outcomes(self, recurring: Recurring) -> list[tuple[int, TurnOutcome]]:
        turns, _ = self.recurring.history(recurring.id, limit=1000)
        return [(turn.slot - recurring.definition.created_at, turn.outcome) for turn in turns]


@pytest.fixture
def scene(settings: MakeSettings) -> Iterator[Scene]:
    """A stage on which time passes only when a test says so."""
    calendar = Calendar(now=system_clock())
    broker = build_broker(settings(), clock=calendar)
    broker.prepare()
    scene = Scene(broker=broker, settings=settings(), calendar=calendar)
    scene.register("alice", "bob")
    yield scene
    broker.redis.client.close()
    broker.jobs.client.close()


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


# --- refusals ---------------------------------------------------------------------------------


def test_every_wrong_field_is_named_at_once(scene: Scene) -> None:
    template = scene.draft(body="{{dat}}", subject="{{", ttl_ms=10**12)

    with pytest.raises(InvalidFieldsError) as refused:
        scene.every("60 * * * *", template=template)

    fields = {problem.field for problem in refused.value.problems}
    assert fields == {"schedule", "body", "subject", "ttl_seconds"}
    assert scene.recurring.find(limit=10) == ([], None)


def test_a_schedule_without_a_slot_ahead_is_refused(scene: Scene) -> None:
    now = scene.calendar.now
    for schedule, expires_at in (
        (f"at:{rfc3339(now - 1000)}", None),
        ("interval:60", now + 60_000),
        ("0 0 30 2 *", None),
    ):
        with pytest.raises(InvalidFieldsError):
            scene.every(schedule, expires_at=expires_at)


def test_an_unknown_recipient_is_refused_at_once(scene: Scene) -> None:
    with pytest.raises(UnknownAgentError) as refused:
        scene.every(template=scene.draft(to="bobb"))

    assert refused.value.near == ("bob",)


def test_a_refused_slot_is_over_and_the_history_says_why(scene: Scene) -> None:
    made = scene.every("interval:60")
    scene.broker.agents.delete(AgentId("bob"))
    scene.calendar.pass_seconds(60)

    assert scene.recurring.fire(made.id) == 1
    scene.register("bob")
    assert scene.recurring.fire(made.id) == 0

    assert scene.bodies() == []
    (turn,) = scene.recurring.history(made.id, limit=10)[0]
    assert (turn.outcome, turn.code) == (TurnOutcome.FAILED, "unknown_agent")
    after = scene.recurring.get(made.id)
    assert (after.sent, after.failed, after.state) == (0, 1, RecurringState.ACTIVE)


def test_a_full_inbox_holds_up_nobody(scene: Scene) -> None:
    limits = scene.broker.agents.get(AgentId("bob"))
    assert limits.max_depth is None
    scene.broker.redis.command(
        "HSET", scene.broker.keys.agent(AgentId("bob")), "max_depth", 1, "on_full", "block"
    )
    scene.deliver()
    made = scene.every("interval:60")
    scene.calendar.pass_seconds(60)

    scene.recurring.fire(made.id)

    (turn,) = scene.recurring.history(made.id, limit=10)[0]
    assert (turn.outcome, turn.code) == (TurnOutcome.FAILED, "inbox_full")


# --- looking ----------------------------------------------------------------------------------


def test_they_are_listed_newest_first_in_pages(scene: Scene) -> None:
    made = []
    for number in range(5):
        scene.calendar.pass_seconds(1)
        scene.register(f"sender-{number}")
        draft = scene.draft(sender=f"sender-{number}")
        made.append(scene.every(template=draft).id)

    first, cursor = scene.recurring.find(limit=3)
    rest, end = scene.recurring.find(limit=3, before=cursor)

    assert [one.id for one in first + rest] == made[::-1]
    assert end is None


def test_the_history_comes_newest_first_in_pages(scene: Scene) -> None:
    made = scene.every("interval:1")
    scene.calendar.pass_seconds(5)
    scene.recurring.fire(made.id)

    first, cursor = scene.recurring.history(made.id, limit=3)
    rest, end = scene.recurring.history(made.id, limit=3, before=cursor)

    start = made.definition.created_at
    assert [(turn.slot - start) // SECOND for turn in first + rest] == [5, 4, 3, 2, 1]
    assert end is None
    assert all(scene.broker.archive.get(t.message_id) for t in first if t.message_id)


def test_next_times_are_shown_before_they_come(scene: Scene) -> None:
    made = scene.every("interval:60", expires_at=scene.calendar.now + 200_000)
    start = made.definition.created_at

    assert scene.recurring.next_times(made.id, 2) == [start + 60_000, start + 120_000]
    assert len(scene.recurring.next_times(made.id, 100)) == 3
    scene.recurring.pause(made.id)
    scene.calendar.pass_seconds(70)
    assert scene.recurring.next_times(made.id, 1) == [start + 120_000]
    scene.recurring.cancel(made.id)
    assert scene.recurring.next_times(made.id, 5) == []


# --- wake-ups ---------------------------------------------------------------------------------


def scheduled(broker: Broker, recurring: Recurring) -> float | None:
    return broker.jobs.client.zscore(broker.keys.scheduled_jobs(), recurring.id)


def test_each_has_its_wake_up_at_its_next_slot(scene: Scene) -> None:
    made = scene.every("interval:60")
    assert made.next_at is not None
    assert scheduled(scene.broker, made) == made.next_at / 1000

    scene.calendar.pass_seconds(61)
    scene.recurring.fire(made.id)
    assert scheduled(scene.broker, made) == made.next_at / 1000 + 60

    scene.recurring.pause(made.id)
    assert scheduled(scene.broker, made) is None
    scene.recurring.resume(made.id)
    assert scheduled(scene.broker, made) is not None
    scene.recurring.cancel(made.id)
    assert scheduled(scene.broker, made) is None


def test_a_lost_wake_up_is_made_up_for(scene: Scene) -> None:
    overdue, soon, later = (scene.every(f"interval:{seconds}") for seconds in (60, 65, 600))
    scene.broker.jobs.client.delete(scene.broker.keys.scheduled_jobs())
    scene.calendar.pass_seconds(60)

    assert scene.recurring.fire_overdue() == 1

    assert scene.recurring.get(overdue.id).sent == 1
    assert soon.next_at is not None
    assert scheduled(scene.broker, soon) == soon.next_at / 1000
    assert scheduled(scene.broker, later) is None


def test_a_template_is_a_draft(scene: Scene) -> None:
    made = scene.every()

    assert isinstance(made.definition.template, Draft)
    assert made.definition.template == scene.draft()
