"""Who pushes to an agent: one at a time, whoever dies, stops or comes too late."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import pytest

from broker.delivery.push import HOLDER
from broker.delivery.store import WebhookStore
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId
from broker.messaging.delivery import Wanted
from broker.messaging.inbox import Inboxes
from tests.receivers import Received, Receiver, Reply, receiving
from tests.redis.conftest import MakeStage
from tests.redis.pushing import (
    BOB,
    becomes,
    held,
    set_webhook,
    store_of,
    webhook_of,
)
from tests.redis.racing import race
from tests.redis.stage import Stage
from tests.waiting import until


@pytest.fixture
def stage(make_pushing: MakeStage) -> Stage:
    return make_pushing()


def test_what_a_dead_pusher_left_is_pushed_again_uncounted(
    stage: Stage, receiver: Receiver
) -> None:
    set_webhook(stage, receiver.url)
    identifiers = [stage.deliver() for _ in range(3)]
    store = store_of(stage)
    assert store.begin(BOB, "dead") is not None
    stage.broker.inboxes.lease(BOB, Wanted(limit=3), holder=HOLDER)
    stage.broker.pusher.sweep()
    assert receiver.requests == []

    stage.broker.redis.command("DEL", stage.broker.keys.pusher(BOB))
    stage.broker.pusher.sweep()
    receiver.wait_for(3)

    assert receiver.ids() == identifiers
    assert {one.headers["waystation-attempt"] for one in receiver.requests} == {"1"}


def test_what_the_agent_leased_itself_is_not_pushed(stage: Stage, receiver: Receiver) -> None:
    set_webhook(stage, receiver.url)
    fetched = stage.deliver()
    delivered = stage.lease_one()
    assert store_of(stage).begin(BOB, "dead") is not None
    stage.broker.redis.command("DEL", stage.broker.keys.pusher(BOB))
    other = stage.deliver()

    stage.broker.pusher.sweep()
    receiver.wait_for(1)

    assert receiver.ids() == [other]
    stage.ack(delivered)
    assert stage.state(fetched) is DeliveryState.ACKNOWLEDGED


def test_a_push_that_stops_gives_the_rest_back(stage: Stage, receiver: Receiver) -> None:
    set_webhook(stage, receiver.url)
    identifiers = [stage.deliver() for _ in range(3)]

    def stop_meanwhile(_: Received) -> Reply:
        threading.Thread(target=stage.broker.pusher.stop, args=(10,)).start()
        until(lambda: stage.broker.pusher._is_ending, within=5, what="it is asked to stop")
        return Reply()

    receiver.behaviour = stop_meanwhile
    stage.broker.pusher.push()
    becomes(stage, identifiers[0], DeliveryState.ACKNOWLEDGED)

    until(lambda: not held(stage), within=5, what="nobody pushes")
    assert stage.inbox() == identifiers[1:]
    assert stage.broker.pusher.sweep() == 0


def test_a_request_that_outlasts_the_stop_comes_again_from_the_next_pusher(
    make_pushing: MakeStage, receiver: Receiver
) -> None:
    stage, other = make_pushing(), make_pushing()
    set_webhook(stage, receiver.url)
    goes_on = threading.Event()
    receiver.behaviour = lambda _: Reply(status=204 if goes_on.wait(10) else 500)
    identifier = stage.deliver()
    stage.broker.pusher.push()
    receiver.wait_for(1)

    stage.broker.pusher.stop(0.1)
    assert stage.inbox() == [identifier]
    receiver.behaviour = lambda _: Reply()
    other.broker.pusher.sweep()
    becomes(stage, identifier, DeliveryState.ACKNOWLEDGED)

    assert receiver.ids() == [identifier, identifier]
    goes_on.set()


def test_one_of_many_who_begin_at_once_pushes(stage: Stage) -> None:
    set_webhook(stage, "http://127.0.0.1:9/hook")
    store = store_of(stage)

    begun = race(*(lambda token=f"t{n}": store.begin(BOB, token) for n in range(16)))

    assert len([one for one in begun if one is not None]) == 1


def test_only_who_pushes_renews_notes_and_ends(stage: Stage) -> None:
    set_webhook(stage, "http://127.0.0.1:9/hook")
    store, breaker = store_of(stage), webhook_of(stage).breaker
    assert store.begin(BOB, "one") is not None
    failed = breaker.after_failure(5, stage.broker.webhooks.policy.breaker)

    assert store.renew({BOB: "two"}) == {BOB}
    store.note(BOB, "two", failed, not_before=0)
    store.end(BOB, "two", None)

    assert webhook_of(stage).breaker == breaker
    assert store.begin(BOB, "three") is None
    assert store.renew({BOB: "one"}) == set()
    store.note(BOB, "one", failed, not_before=0)
    assert webhook_of(stage).breaker == failed


def test_two_pushers_push_each_message_once(make_pushing: MakeStage, receiver: Receiver) -> None:
    stages = [make_pushing() for _ in range(2)]
    names = [f"agent-{number}" for number in range(20)]
    stages[0].register(*names)
    for name in names:
        set_webhook(stages[0], receiver.url, name)
    sent = [stages[0].send(name) for name in names for _ in range(10)]
    stages[0].route()

    race(*(stage.broker.pusher.sweep for stage in stages * 3))
    receiver.wait_for(len(sent))

    assert sorted(receiver.ids()) == sorted(sent)


def test_a_push_that_waits_for_an_answer_stays_the_only_one(
    make_pushing: MakeStage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.delivery.store.HOLD_MS", 300)
    monkeypatch.setattr("broker.delivery.hold.HOLD_MS", 300)
    monkeypatch.setattr("broker.delivery.hold._RENEW_SECONDS", 0.1)
    stage, other = make_pushing(), make_pushing()
    store = stage.broker.pusher._store
    renew, renewals = store.renew, []

    def counted(holds: Mapping[AgentId, str]) -> set[AgentId]:
        renewals.append(holds)
        return renew(holds)

    stage.broker.pusher._keeper._renew = counted
    goes_on = threading.Event()
    receiver.behaviour = lambda _: Reply(status=204 if goes_on.wait(10) else 500)
    set_webhook(stage, receiver.url)
    identifier = stage.deliver()
    stage.broker.pusher.push()
    receiver.wait_for(1)

    def outlasts_several_holds() -> bool:
        other.broker.pusher.sweep()
        return len(renewals) >= 10

    until(outlasts_several_holds, within=10, what="the hold is renewed again and again")
    goes_on.set()
    becomes(stage, identifier, DeliveryState.ACKNOWLEDGED)

    assert receiver.ids() == [identifier]


def test_a_pusher_that_lost_its_hold_can_finish_nothing(
    make_pushing: MakeStage, receiver: Receiver
) -> None:
    stage, other = make_pushing(), make_pushing()
    goes_on = threading.Event()

    def answer(_: Received) -> Reply:
        if len(receiver.requests) == 1:
            return Reply(status=500 if goes_on.wait(10) else 204)
        return Reply()

    receiver.behaviour = answer
    set_webhook(stage, receiver.url)
    first, second = stage.deliver(), stage.deliver()
    stage.broker.pusher.push()
    receiver.wait_for(1)

    stage.broker.redis.command("DEL", stage.broker.keys.pusher(BOB))
    other.broker.pusher.sweep()
    becomes(stage, second, DeliveryState.ACKNOWLEDGED)
    goes_on.set()
    stage.broker.pusher.stop(10)

    assert receiver.ids() == [first, first, second]
    assert stage.state(first) is DeliveryState.ACKNOWLEDGED
    assert webhook_of(stage).breaker.failures == 0


def test_endpoints_that_fail_leave_places_to_those_that_work(
    make_pushing: MakeStage, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.delivery.pusher._AT_ONCE", 2)
    monkeypatch.setattr("broker.delivery.pusher._FAILING_AT_ONCE", 1)
    stage = make_pushing()
    stage.register("carol", "dora")
    goes_on = threading.Event()
    receiver.answers(500)
    for name in ("bob", "carol"):
        set_webhook(stage, receiver.url, name)
        stage.deliver(name)
    stage.broker.pusher.push()
    receiver.wait_for(2)
    until(lambda: not held(stage) and not held(stage, "carol"), within=5, what="both have failed")

    receiver.behaviour = lambda _: Reply(status=204 if goes_on.wait(10) else 500)
    of_failing = [stage.deliver(name) for name in ("bob", "carol")]
    stage.broker.pusher.sweep()
    receiver.wait_for(3)
    with receiving() as working:
        set_webhook(stage, working.url, "dora")
        stage.deliver("dora")
        stage.broker.pusher.sweep()
        working.wait_for(1)
    assert len(receiver.requests) == 3

    goes_on.set()
    for message, name in zip(of_failing, ("bob", "carol"), strict=True):
        becomes(stage, message, DeliveryState.ACKNOWLEDGED, name)


class Died(BaseException):
    """What a kill -9 looks like from within: nothing after this line happens."""


@pytest.mark.parametrize("how", ["before", "after"])
@pytest.mark.parametrize(
    "step",
    [(WebhookStore, name) for name in ("begin", "note", "end")]
    + [(Inboxes, name) for name in ("lease", "acknowledge", "reject", "give_back")],
)
def test_a_pusher_that_dies_at_any_step_leaves_all_to_the_next(
    make_pushing: MakeStage,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    step: tuple[type, str],
    how: str,
) -> None:
    stage = make_pushing(breaker_failures=1, breaker_open_seconds=1)
    set_webhook(stage, receiver.url)
    sent = [stage.send(max_attempts=100) for _ in range(10)]
    stage.route()
    whole = getattr(*step)
    has_died = threading.Event()

    def die(*arguments: Any, **options: Any) -> None:
        if how == "after":
            whole(*arguments, **options)
        has_died.set()
        raise Died

    # Of the first four one fails, in the middle of a batch.
    receiver.behaviour = lambda got: Reply(status=500 if got.id == sent[1] else 204)
    monkeypatch.setattr(*step, die)
    stage.broker.pusher.push()
    assert has_died.wait(5)
    monkeypatch.undo()

    receiver.answers(204)
    until(lambda: not stage.broker.pusher._turns, within=5, what="nothing goes on")
    stage.broker.redis.command("DEL", stage.broker.keys.pusher(BOB))

    def all_done() -> bool:
        if not stage.broker.pusher._turns:
            stage.pass_time(ms=5_000)
            stage.settle()
            stage.broker.pusher.sweep()
        return {stage.state(one) for one in sent} == {DeliveryState.ACKNOWLEDGED}

    until(all_done, within=15, what="all are acknowledged")
    assert set(receiver.ids()) == set(sent)
