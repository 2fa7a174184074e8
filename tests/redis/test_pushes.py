"""Pushing to webhooks: order, retries, the breaker, pauses, and who pushes to whom."""

from __future__ import annotations

import threading

import pytest

from broker.delivery.breaker import BreakerState
from broker.kernel.events import DeliveryState
from broker.kernel.ids import MessageId
from broker.messaging.delivery import Delivered
from tests.receivers import Received, Receiver, Reply, receiving
from tests.redis.conftest import MakeStage
from tests.redis.pushing import (
    BOB,
    becomes,
    held,
    leave_open_behind,
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


def test_a_message_is_pushed_as_an_inbox_shows_it_and_signed(
    stage: Stage, receiver: Receiver
) -> None:
    secret = set_webhook(stage, receiver.url, headers={"Authorization": "Bearer of-bob"})

    identifier = stage.deliver(subject="PR 12", payload=b'{"n":12345678901234567890}')
    stage.broker.pusher.push()
    becomes(stage, identifier, DeliveryState.ACKNOWLEDGED)

    (received,) = receiver.requests
    assert received.is_signed_with(secret)
    assert received.id == identifier
    assert received.headers["waystation-agent"] == "bob"
    assert received.headers["waystation-attempt"] == "1"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["authorization"] == "Bearer of-bob"
    assert received.message["subject"] == "PR 12"
    assert received.message["from"] == "alice"
    assert received.message["lease"] is None
    assert b"12345678901234567890" in received.body
    assert stage.inbox() == []
    until(lambda: webhook_of(stage).succeeded_at, within=5, what="the success is noted")


def test_routing_wakes_who_pushes_and_nobody_else(stage: Stage, receiver: Receiver) -> None:
    stage.register("carol")
    set_webhook(stage, receiver.url)

    stage.deliver("carol")
    assert stage.broker.pusher.push() == 0
    stage.deliver("bob")
    assert stage.broker.pusher.push() == 1

    receiver.wait_for(1)


def test_messages_are_pushed_in_order_over_one_connection(stage: Stage, receiver: Receiver) -> None:
    set_webhook(stage, receiver.url)
    stage.broker.queue.send_many([stage.draft() for _ in range(50)])
    urgent = stage.send(priority=9)
    stage.route()
    waiting = stage.inbox()

    stage.broker.pusher.push()
    receiver.wait_for(51)

    assert receiver.ids() == waiting
    assert waiting[0] == urgent
    assert receiver.connections == 1


def test_a_failure_is_tried_again_and_its_reason_stands_in_the_history(
    make_pushing: MakeStage, receiver: Receiver
) -> None:
    stage = make_pushing(retry_delay_seconds=100)
    set_webhook(stage, receiver.url, headers={"authorization": "Bearer very-secret"})
    receiver.answers(500, b"no such table\r\nBearer very-secret " + b"x" * 500)
    identifier = stage.deliver()
    stage.broker.pusher.push()
    becomes(stage, identifier, DeliveryState.WAITING)

    receiver.answers(200)
    stage.pass_time()
    stage.settle()
    stage.broker.pusher.sweep()
    becomes(stage, identifier, DeliveryState.ACKNOWLEDGED)

    first, second = receiver.requests
    assert first.id == second.id == identifier
    assert (first.headers["waystation-attempt"], second.headers["waystation-attempt"]) == ("1", "2")
    (attempt,) = stage.receipt(identifier).history
    assert attempt.reason.startswith("500 Internal Server Error: no such table … ")
    assert "very-secret" not in attempt.reason
    assert len(attempt.reason) < 300


def test_the_last_failure_makes_a_dead_letter(make_pushing: MakeStage, receiver: Receiver) -> None:
    stage = make_pushing(max_attempts=1)
    set_webhook(stage, receiver.url)
    receiver.answers(404)

    identifier = stage.deliver()
    stage.broker.pusher.push()

    becomes(stage, identifier, DeliveryState.DEAD)


def test_the_breaker_opens_and_closes_and_burns_no_attempts_while_open(
    make_pushing: MakeStage, receiver: Receiver
) -> None:
    stage = make_pushing(breaker_failures=2, breaker_open_seconds=60, retry_delay_seconds=0)
    set_webhook(stage, receiver.url)
    receiver.answers(500)
    stage.broker.queue.send_many([stage.draft(max_attempts=100) for _ in range(20)])
    stage.route()

    stage.broker.pusher.push()
    until(
        lambda: webhook_of(stage).breaker.opened_at is not None, within=5, what="the breaker opens"
    )
    stage.broker.pusher.sweep()
    stage.settle()
    stage.broker.pusher.sweep()

    assert len(receiver.requests) == 2
    policy = stage.broker.webhooks.policy.breaker
    breaker = webhook_of(stage).breaker
    assert breaker.opened_at is not None
    assert breaker.state(breaker.opened_at + 59_999, policy) is BreakerState.OPEN
    assert len(stage.inbox()) == 20
    leave_open_behind(stage)
    stage.broker.pusher.sweep()
    receiver.wait_for(3)
    until(lambda: not held(stage), within=5, what="the one attempt is over")
    assert len(receiver.requests) == 3

    receiver.answers(200)
    stage.settle()
    leave_open_behind(stage)
    stage.broker.pusher.sweep()
    receiver.wait_for(23)
    until(lambda: webhook_of(stage).breaker.failures == 0, within=5, what="the breaker is closed")
    totals = counters(stage)
    assert (totals["breaker.opened"], totals["breaker.closed"]) == (1, 1)


def counters(stage: Stage) -> dict[str, int]:
    return dict(stage.broker.stats.overview().snapshot.totals)


def test_a_webhook_that_was_set_anew_meanwhile_is_not_turned_off(stage: Stage) -> None:
    set_webhook(stage, "http://127.0.0.1:9/old")
    old = webhook_of(stage)
    until(lambda: stage.now() > old.changed_at, within=5, what="time has passed")
    set_webhook(stage, "http://127.0.0.1:9/new")

    stage.broker.webhooks.disable(old, "410 Gone")

    assert webhook_of(stage).disabled_at is None
    assert stage.broker.agents.get(BOB).profile.transport == "webhook"


def test_an_open_breaker_is_heeded_though_the_time_for_it_has_become_longer(
    make_pushing: MakeStage, receiver: Receiver
) -> None:
    stage = make_pushing(breaker_failures=1)
    set_webhook(stage, receiver.url)
    receiver.answers(500)
    for _ in range(2):
        stage.deliver()
    stage.broker.pusher.push()
    until(lambda: webhook_of(stage).breaker.opened_at, within=5, what="the breaker opens")
    until(lambda: not held(stage), within=5, what="nobody pushes")
    keys = stage.broker.keys
    listed = (keys.webhooks(keys.partition_for(BOB)), BOB)
    stage.broker.redis.command("ZADD", listed[0], "XX", 1, BOB)

    stage.broker.pusher.sweep()
    until(
        lambda: float(stage.broker.redis.command("ZSCORE", *listed)) > stage.now(),
        within=5,
        what="it is put off again",
    )

    assert len(receiver.requests) == 1


def test_a_slow_endpoint_delays_no_other(stage: Stage, receiver: Receiver) -> None:
    stage.register("carol")
    goes_on = threading.Event()
    receiver.behaviour = lambda _: Reply() if goes_on.wait(10) else Reply(status=500)
    set_webhook(stage, receiver.url)
    with receiving() as quick:
        set_webhook(stage, quick.url, "carol")
        slow_one = stage.deliver("bob")
        stage.broker.pusher.push()
        receiver.wait_for(1)

        identifiers = [stage.deliver("carol") for _ in range(10)]
        stage.broker.pusher.push()
        quick.wait_for(10)

    assert quick.ids() == identifiers
    assert stage.state(slow_one) is DeliveryState.LEASED
    goes_on.set()
    becomes(stage, slow_one, DeliveryState.ACKNOWLEDGED)


def test_an_endpoint_that_asks_for_a_pause_gets_one_and_no_attempt_is_counted(
    stage: Stage, receiver: Receiver
) -> None:
    set_webhook(stage, receiver.url)
    receiver.answers(429, Retry_After="30")
    identifier = stage.deliver()
    stage.broker.pusher.push()
    receiver.wait_for(1)
    until(lambda: not held(stage), within=5, what="the push is over")

    stage.broker.pusher.sweep()
    assert len(receiver.requests) == 1
    assert stage.state(identifier) is DeliveryState.QUEUED
    assert webhook_of(stage).breaker.failures == 0
    receiver.answers(200)
    stage.shift(stage.broker.keys.webhooks(stage.broker.keys.partition_for(BOB)), -31_000)
    stage.broker.pusher.sweep()

    becomes(stage, identifier, DeliveryState.ACKNOWLEDGED)
    assert receiver.requests[1].headers["waystation-attempt"] == "1"


def test_an_endpoint_that_is_gone_turns_the_webhook_off_and_the_user_is_told(
    stage: Stage, receiver: Receiver
) -> None:
    set_webhook(stage, receiver.url)
    receiver.answers(410)
    identifier = stage.deliver()
    stage.broker.pusher.push()
    until(lambda: webhook_of(stage).disabled_at, within=5, what="it is off")

    stage.deliver()
    assert stage.broker.pusher.push() == 0
    assert stage.broker.pusher.sweep() == 0

    until(lambda: identifier in stage.inbox(), within=5, what="the message waits to be fetched")
    assert stage.broker.agents.get(BOB).profile.transport == "pull"
    (told,) = stage.lease("user")
    assert told.message.kind == "alert"
    assert told.message.subject == "The webhook of bob is off"
    receiver.answers(200)
    set_webhook(stage, receiver.url)
    stage.broker.pusher.sweep()
    becomes(stage, identifier, DeliveryState.ACKNOWLEDGED)


def test_an_offer_is_pushed_and_put_aside_until_it_is_offered_again(
    stage: Stage, receiver: Receiver
) -> None:
    stage.register("carol")
    set_webhook(stage, receiver.url)
    offer = stage.deliver(("bob", "carol"), claimable=True)

    stage.broker.pusher.push()
    becomes(stage, offer, DeliveryState.WAITING)

    (received,) = receiver.requests
    assert received.message["claimable"] is True
    assert stage.receipt(offer).attempts == 0
    stage.pass_time()
    stage.settle()
    stage.broker.pusher.sweep()
    assert [one.id for one in receiver.wait_for(2)] == [offer, offer]


def test_an_endpoint_may_claim_what_it_is_offered_before_it_answers(
    stage: Stage, receiver: Receiver
) -> None:
    stage.register("carol")
    set_webhook(stage, receiver.url)
    claimed: list[Delivered] = []

    def claim(received: Received) -> Reply:
        claimed.append(stage.broker.claims.claim(BOB, MessageId(received.id)))
        return Reply()

    receiver.behaviour = claim
    offer = stage.deliver(("bob", "carol"), claimable=True)
    stage.broker.pusher.push()
    until(lambda: claimed and not held(stage), within=5, what="it is claimed")

    assert stage.state(offer) is DeliveryState.LEASED
    stage.ack(claimed[0])
    assert stage.state(offer) is DeliveryState.ACKNOWLEDGED
    assert len(receiver.requests) == 1


def test_one_of_many_who_set_a_webhook_at_once_gets_the_secret(stage: Stage) -> None:
    urls = [f"http://127.0.0.1:9/{number}" for number in range(16)]

    secrets = race(*(lambda url=url: set_webhook(stage, url) for url in urls))

    shown = [secret for secret in secrets if secret != "None"]
    assert shown == [webhook_of(stage).secret]


def test_of_many_rotations_at_once_the_last_two_sign(stage: Stage) -> None:
    first = set_webhook(stage, "http://127.0.0.1:9/hook")
    webhooks = stage.broker.webhooks

    made = race(*(lambda: webhooks.rotate(BOB, 60_000) for _ in range(16)))

    current, old = webhook_of(stage).secrets_at(stage.now())
    assert {current, old} <= set(made)
    assert current != old != first


def test_a_webhook_that_is_removed_amid_a_push_stays_removed(
    stage: Stage, receiver: Receiver
) -> None:
    set_webhook(stage, receiver.url)
    is_removed = threading.Event()
    receiver.behaviour = lambda _: Reply(status=500 if is_removed.wait(10) else 204)
    identifier = stage.deliver()
    stage.broker.pusher.push()
    receiver.wait_for(1)

    stage.broker.webhooks.remove(BOB)
    is_removed.set()
    becomes(stage, identifier, DeliveryState.WAITING)
    until(lambda: not held(stage), within=5, what="the push is over")

    keys = stage.broker.keys
    left = [keys.webhook(BOB), keys.breaker("webhook", BOB), keys.webhooks(keys.partition_for(BOB))]
    assert [stage.broker.redis.command("EXISTS", key) for key in left] == [0, 0, 0]


def test_what_was_set_while_it_was_allowed_is_refused_when_it_no_longer_is(
    make_pushing: MakeStage, receiver: Receiver
) -> None:
    set_webhook(make_pushing(), receiver.url)
    stage = make_pushing(allow_private=False)
    identifier = stage.deliver()

    stage.broker.pusher.push()
    becomes(stage, identifier, DeliveryState.DEAD)

    assert receiver.connections == 0


def test_an_agent_that_is_deleted_takes_its_webhook_along(stage: Stage, receiver: Receiver) -> None:
    secret = set_webhook(stage, receiver.url)
    stage.broker.agents.delete(BOB)
    stage.register("bob")
    stage.deliver()

    assert stage.broker.pusher.push() == 0
    assert stage.broker.pusher.sweep() == 0
    assert store_of(stage).read(BOB) is None
    assert set_webhook(stage, receiver.url) != secret


def test_to_be_pushed_to_is_no_sign_of_life_but_to_answer_is(
    stage: Stage, receiver: Receiver
) -> None:
    set_webhook(stage, receiver.url)
    receiver.answers(500)
    seen = stage.broker.agents.get(BOB).last_seen
    first = stage.deliver()
    stage.broker.pusher.push()
    becomes(stage, first, DeliveryState.WAITING)
    assert stage.broker.agents.get(BOB).last_seen == seen

    receiver.answers(200)
    second = stage.deliver()
    stage.broker.pusher.push()
    becomes(stage, second, DeliveryState.ACKNOWLEDGED)

    assert stage.broker.agents.get(BOB).last_seen > seen
