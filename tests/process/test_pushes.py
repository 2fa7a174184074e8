"""Delivery workers are killed, or asked to stop, while an endpoint has a request in its hands."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.delivery.webhook import WebhookDefinition
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.message import Draft
from broker.operations.processes import Role
from broker.wiring import Broker
from tests.conftest import MakeBroker, MakeSettings
from tests.process.pools import Pools, killed, pools_of, sweeping
from tests.process.recovery import RECOVERY_SECONDS
from tests.receivers import Received, Receiver, Reply, receiving
from tests.waiting import until

pytestmark = pytest.mark.process

BOB = AgentId("bob")


@pytest.fixture
def pools(settings: MakeSettings, tmp_path: Path) -> Iterator[Pools]:
    with pools_of(settings(webhook_allow_private=True), tmp_path) as pools:
        yield pools


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def station(make_broker: MakeBroker) -> Broker:
    broker = make_broker(webhook_allow_private=True)
    for name in ("alice", "bob"):
        broker.agents.register(AgentId(name), {})
    return broker


def send(broker: Broker, count: int = 1) -> list[MessageId]:
    drafts = [Draft(sender=AgentId("alice"), to=("bob",), body="hello") for _ in range(count)]
    sent = [one.id for one in broker.queue.send_many(drafts)]  # type: ignore[union-attr] # none is refused
    broker.router.drain()
    return sent


def state(broker: Broker, message: MessageId) -> DeliveryState:
    (receipt,) = broker.archive.receipts(message)
    return receipt.state


def test_a_message_whose_pusher_is_killed_before_it_is_recorded_comes_again_under_its_id(
    station: Broker, pools: Pools, receiver: Receiver
) -> None:
    secret = station.webhooks.set(BOB, WebhookDefinition(url=receiver.url)).secret
    is_killed = threading.Event()

    def answer(_: Received) -> Reply:
        if len(receiver.requests) == 1:
            assert is_killed.wait(30)
        return Reply()

    receiver.behaviour = answer
    first_worker = pools.start(station, Role.DELIVERY)
    with sweeping(station, every=1):
        sent = send(station, 5)
        receiver.wait_for(1)
        pools.start(station, Role.DELIVERY)

        killed(first_worker)
        is_killed.set()
        receiver.wait_for(6, within=RECOVERY_SECONDS)
        until(
            lambda: {state(station, one) for one in sent} == {DeliveryState.ACKNOWLEDGED},
            within=RECOVERY_SECONDS,
            what="all are acknowledged",
        )

    assert receiver.ids() == [sent[0], *sent]
    assert {one.headers["waystation-attempt"] for one in receiver.requests} == {"1"}
    assert all(one.is_signed_with(str(secret)) for one in receiver.requests)


def test_a_pusher_that_is_asked_to_stop_records_the_answer_it_waits_for_and_gives_the_rest_back(
    station: Broker, pools: Pools, receiver: Receiver
) -> None:
    station.webhooks.set(BOB, WebhookDefinition(url=receiver.url))
    is_asked = threading.Event()
    receiver.behaviour = lambda _: Reply(status=204 if is_asked.wait(30) else 500)
    worker = pools.start(station, Role.DELIVERY)
    sent = send(station, 5)
    receiver.wait_for(1)

    worker.send_signal(signal.SIGTERM)
    is_asked.set()

    assert worker.wait(15) == 0
    done = [one for one in sent if state(station, one) is DeliveryState.ACKNOWLEDGED]
    assert done == sent[: len(receiver.requests)]
    assert {state(station, one) for one in sent if one not in done} <= {DeliveryState.QUEUED}
