"""Recurring messages as they are asked for and shown, and the wake-ups that each has."""

import pytest

from broker.kernel.clock import rfc3339
from broker.kernel.errors import (
    InvalidFieldsError,
    UnknownAgentError,
)
from broker.kernel.ids import AgentId
from broker.messaging.message import Draft
from broker.messaging.recurring_definition import Recurring, RecurringState
from broker.messaging.recurring_store import TurnOutcome
from broker.wiring import Broker
from tests.redis.recurring_scene import SECOND, Scene

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
