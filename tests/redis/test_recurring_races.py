"""Many at once fire, pause, resume and cancel the same recurring message."""

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from broker.kernel.clock import system_clock
from broker.kernel.errors import BrokerError, StorageUnavailableError
from broker.messaging.recurrence import CatchUp
from broker.messaging.recurring_definition import Recurring, RecurringRequest, RecurringState
from broker.messaging.recurring_store import TurnOutcome
from broker.storage.connection import Redis
from broker.storage.scripts import Call, Outcome
from broker.wiring import Broker, build_broker
from tests.conftest import MakeBroker, MakeSettings
from tests.redis.stage import Stage

MakeStage = Callable[..., Stage]
HANDS = 8


def recurring_message(stage: Stage, schedule: str = "interval:1") -> Recurring:
    made, _ = stage.broker.recurring.create(
        RecurringRequest(template=stage.draft(), schedule=schedule, catch_up=CatchUp.CATCH_UP)
    )
    return made


def later(settings: MakeSettings, seconds: float) -> Broker:
    """Another process, in whose eyes so much time has passed."""
    return build_broker(settings(), clock=lambda: system_clock() + int(seconds * 1000))


def sent(stage: Stage) -> int:
    stage.route()
    return len(stage.inbox())


def test_any_number_of_workers_send_each_slot_once(stage: Stage, settings: MakeSettings) -> None:
    made = recurring_message(stage)
    brokers = [later(settings, 30) for _ in range(HANDS)]
    together = threading.Barrier(HANDS)

    def fire(broker: Broker) -> int:
        together.wait()
        return broker.recurring.fire(made.id)

    with ThreadPoolExecutor(HANDS) as pool:
        turns = sum(pool.map(fire, brokers))

    after = stage.broker.recurring.get(made.id)
    history, _ = stage.broker.recurring.history(made.id, limit=1000)
    slots = [turn.slot for turn in history]
    assert after.sent == turns == sent(stage) == len(slots)
    assert slots == [
        made.definition.created_at + 1000 * number for number in range(len(slots), 0, -1)
    ]
    assert after.sent >= 29


def test_nothing_is_sent_after_a_pause_was_answered(stage: Stage, settings: MakeSettings) -> None:
    made = recurring_message(stage)
    workers = [later(settings, 60) for _ in range(HANDS - 1)]
    together = threading.Barrier(HANDS)

    def fire(broker: Broker) -> None:
        together.wait()
        while broker.recurring.fire(made.id):
            pass

    def pause() -> int:
        together.wait()
        stage.broker.recurring.pause(made.id)
        return stage.broker.recurring.get(made.id).sent

    with ThreadPoolExecutor(HANDS) as pool:
        firing = [pool.submit(fire, broker) for broker in workers]
        at_pause = pool.submit(pause).result()
        for one in firing:
            one.result()

    after = stage.broker.recurring.get(made.id)
    assert after.state is RecurringState.PAUSED
    assert after.sent == at_pause == sent(stage)


def test_pausing_and_resuming_while_workers_fire_neither_doubles_nor_stops_it(
    stage: Stage, make_broker: MakeBroker
) -> None:
    made = recurring_message(stage)
    workers = [make_broker() for _ in range(3)]
    done = threading.Event()

    def fire(broker: Broker) -> None:
        while not done.is_set():
            broker.recurring.fire(made.id)

    with ThreadPoolExecutor(HANDS) as pool:
        firing = [pool.submit(fire, broker) for broker in workers]
        until = made.definition.created_at + 3_000
        while system_clock() < until:
            stage.broker.recurring.pause(made.id)
            stage.broker.recurring.resume(made.id)
        done.set()
        for one in firing:
            one.result()

    history, _ = stage.broker.recurring.history(made.id, limit=1000)
    slots = [turn.slot for turn in history]
    assert len(slots) == len(set(slots)) == sent(stage)
    assert all((slot - made.definition.created_at) % 1000 == 0 for slot in slots)
    assert stage.broker.recurring.get(made.id).state is RecurringState.ACTIVE


def test_one_of_many_ends_wins_and_stays(stage: Stage, make_broker: MakeBroker) -> None:
    made = recurring_message(stage)
    brokers = [make_broker() for _ in range(HANDS)]

    def act(broker: Broker) -> None:
        for name in random.sample(["pause", "resume", "cancel"], 3):
            try:
                getattr(broker.recurring, name)(made.id)
            except BrokerError as error:
                assert error.code == "recurring_ended"  # noqa: PT017 - any other is the failure

    with ThreadPoolExecutor(HANDS) as pool:
        list(pool.map(act, brokers))

    assert stage.broker.recurring.get(made.id).state is RecurringState.CANCELLED
    assert stage.broker.recurring.fire_overdue() == 0
    keys = stage.broker.keys
    due = keys.recurring_due(keys.partition_of(made.id))
    assert stage.broker.redis.command("ZCARD", due) == 0


@pytest.mark.parametrize("lost", ["call", "answer"])
def test_a_worker_that_dies_anywhere_in_a_turn_leaves_it_undone_or_done_once(
    stage: Stage, settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    made = recurring_message(stage)
    worker = later(settings, 4)
    whole = Redis.call
    dice = random.Random(7)

    def call(self: Redis, one: Call) -> Outcome:
        breaks = dice.random() < 0.5
        if breaks and lost == "call":
            raise StorageUnavailableError("the connection is gone")
        outcome = whole(self, one)
        if breaks:
            raise StorageUnavailableError("the connection is gone")
        return outcome

    monkeypatch.setattr(Redis, "call", call)
    for _ in range(100):
        try:
            if not worker.recurring.fire(made.id):
                break
        except StorageUnavailableError:
            continue  # the job failed; the sweep fires again
    monkeypatch.undo()

    history, _ = stage.broker.recurring.history(made.id, limit=1000)
    slots = [turn.slot - made.definition.created_at for turn in history]
    assert slots == [4000, 3000, 2000, 1000]
    assert {turn.outcome for turn in history} == {TurnOutcome.SENT}
    assert sent(stage) == 4


def test_slots_go_past_once_where_many_find_the_recipient_gone(
    stage: Stage, settings: MakeSettings
) -> None:
    made = recurring_message(stage)
    stage.broker.agents.delete(stage.draft().to[0])  # type: ignore[arg-type] # an agent's name
    brokers = [later(settings, 10) for _ in range(HANDS)]

    with ThreadPoolExecutor(HANDS) as pool:
        list(pool.map(lambda broker: broker.recurring.fire(made.id), brokers))

    stage.register("bob")
    after = stage.broker.recurring.get(made.id)
    history, _ = stage.broker.recurring.history(made.id, limit=1000)
    assert after.failed == len(history) == len({turn.slot for turn in history})
    assert after.sent == sent(stage) == 0


def test_of_many_at_once_with_one_idempotency_key_one_begins(
    stage: Stage, settings: MakeSettings
) -> None:
    request = RecurringRequest(
        template=stage.draft(), schedule="interval:60", idempotency_key="stand-up"
    )
    brokers = [later(settings, 0) for _ in range(HANDS)]
    together = threading.Barrier(HANDS)

    def begin(broker: Broker) -> tuple[str, bool]:
        together.wait()
        made, created = broker.recurring.create(request)
        return made.id, created

    with ThreadPoolExecutor(HANDS) as pool:
        begun = list(pool.map(begin, brokers))

    assert len({identifier for identifier, _ in begun}) == 1
    assert sum(created for _, created in begun) == 1
    assert len(stage.broker.recurring.find(limit=10)[0]) == 1
