"""Handing out messages and finishing them: lease.lua, acknowledge.lua, and long-polling."""

import threading
import time

import pytest

from broker.kernel.errors import (
    MessageNotFoundError,
    StaleEpochError,
    StaleLeaseError,
    UnknownAgentError,
)
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, LeaseToken, MessageId
from broker.kernel.priority import HIGH, LOW, NORMAL, URGENT
from broker.messaging.delivery import Acknowledgement, Wanted
from tests.redis.stage import HOUR_MS, Stage, acknowledgement, ids, token

BOB = AgentId("bob")
NEVER = MessageId("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV")


def test_a_lease_hands_out_the_message_with_a_token_and_an_end(stage: Stage) -> None:
    identifier = stage.deliver(body="hello")
    before = stage.now()

    delivered = stage.lease_one(lease_ms=60_000, holder="worker-1")

    assert (delivered.message.id, delivered.message.body) == (identifier, "hello")
    assert delivered.attempt == 1
    assert delivered.lease is not None
    assert 60_000 <= delivered.lease.expires_at - before <= 62_000
    assert stage.state(identifier) is DeliveryState.LEASED


def test_a_leased_message_is_nobody_elses(stage: Stage) -> None:
    stage.deliver()
    stage.lease_one()

    assert stage.lease() == []
    assert stage.inbox() == []


def test_a_lease_hands_out_no_more_than_asked_for(stage: Stage) -> None:
    sent = [stage.send() for _ in range(5)]
    stage.route()

    assert ids(stage.lease(limit=2)) == sent[:2]
    assert ids(stage.lease(limit=2)) == sent[2:4]


def test_only_priorities_from_the_least_wanted_on_are_handed_out(stage: Stage) -> None:
    low, normal, high, urgent = (stage.send(priority=p) for p in (LOW, NORMAL, HIGH, URGENT))
    stage.route()

    wanted = stage.broker.inboxes.lease(BOB, Wanted(min_priority=HIGH))
    assert ids(wanted) == [urgent, high]
    assert ids(stage.lease()) == [normal, low]


def test_only_wanted_kinds_are_handed_out_in_their_order(stage: Stage) -> None:
    stage.send(kind="chat")
    first, second = stage.send(kind="task"), stage.send(kind="task", priority=HIGH)
    stage.route()

    tasks = stage.broker.inboxes.lease(BOB, Wanted(kinds=frozenset({"task"})))

    assert ids(tasks) == [second, first]


def test_asking_for_a_kind_that_is_not_there_is_a_sign_of_life_all_the_same(stage: Stage) -> None:
    stage.deliver(kind="chat")
    agent = stage.broker.keys.agent(BOB)
    stage.broker.redis.command("HSET", agent, "last_seen", 1)

    assert stage.broker.inboxes.lease(BOB, Wanted(kinds=frozenset({"task"}))) == []

    assert stage.broker.agents.get(BOB).last_seen > 1
    with pytest.raises(StaleEpochError):
        stage.broker.inboxes.lease(BOB, Wanted(kinds=frozenset({"task"})), epoch=0)


def test_an_unknown_agent_has_no_inbox(stage: Stage) -> None:
    with pytest.raises(UnknownAgentError) as refused:
        stage.lease("bobby")

    assert refused.value.near == ("bob",)
    with pytest.raises(UnknownAgentError):
        stage.inbox("bobby")


def test_a_superseded_session_can_neither_lease_nor_acknowledge(stage: Stage) -> None:
    stage.register("bob", instance_id="one")
    old = stage.broker.agents.get(BOB).epoch
    stage.deliver()
    delivered = stage.lease_one(epoch=old)
    stage.register("bob", instance_id="two")

    with pytest.raises(StaleEpochError):
        stage.lease(epoch=old)
    with pytest.raises(StaleEpochError):
        stage.ack(delivered, epoch=old)


def test_an_acknowledged_message_never_comes_back(stage: Stage) -> None:
    identifier = stage.deliver()
    stage.ack(stage.lease_one())

    stage.pass_time()
    stage.settle()

    assert stage.lease() == []
    receipt = stage.receipt(identifier)
    assert receipt.state is DeliveryState.ACKNOWLEDGED
    assert receipt.finished_at
    assert receipt.attempts == 1


def test_the_same_acknowledgement_again_is_fine(stage: Stage) -> None:
    stage.deliver()
    delivered = stage.lease_one()

    stage.ack(delivered)
    stage.ack(delivered)


def test_a_message_whose_lease_ended_comes_again_and_the_old_token_is_stale(stage: Stage) -> None:
    identifier = stage.deliver()
    first = stage.lease_one()
    stage.pass_time()

    with pytest.raises(StaleLeaseError):
        stage.ack(first)
    second = stage.lease_one()

    assert (second.message.id, second.attempt) == (identifier, 2)
    with pytest.raises(StaleLeaseError):
        stage.ack(first)
    stage.ack(second)
    with pytest.raises(StaleLeaseError):
        stage.ack(first)


def test_a_message_that_comes_again_takes_its_old_place(stage: Stage) -> None:
    first, second = stage.send(), stage.send()
    stage.route()
    stage.lease_one()
    stage.pass_time()

    assert ids(stage.lease()) == [first, second]


def test_many_are_acknowledged_with_a_verdict_each(stage: Stage) -> None:
    sent = [stage.send() for _ in range(4)]
    stage.route()
    one, two, three, _ = stage.lease()
    wrong = Acknowledgement(message_id=sent[3], token=LeaseToken("1-guessed"))
    never = Acknowledgement(message_id=NEVER, token=token(one))
    done = [acknowledgement(one), wrong, acknowledgement(two), never, acknowledgement(two)]

    verdicts = stage.broker.inboxes.acknowledge_many(BOB, done)

    refused = [type(verdict) for verdict in verdicts]
    assert refused == [type(None), StaleLeaseError, type(None), MessageNotFoundError, type(None)]
    assert stage.state(three.message.id) is DeliveryState.LEASED


def test_a_thousand_are_acknowledged_at_once(stage: Stage) -> None:
    stage.broker.queue.send_many([stage.draft() for _ in range(1000)])
    stage.route()
    delivered = stage.lease(limit=1000)

    verdicts = stage.broker.inboxes.acknowledge_many(BOB, [acknowledgement(d) for d in delivered])

    assert verdicts == [None] * 1000
    assert stage.broker.redis.command("HLEN", stage.broker.keys.deliveries(BOB)) == 0


def test_another_agent_cannot_finish_what_is_not_in_its_inbox(stage: Stage) -> None:
    stage.deliver()
    delivered = stage.lease_one()

    with pytest.raises(MessageNotFoundError):
        stage.ack(delivered, "alice")


def test_an_expired_message_is_not_handed_out(stage: Stage) -> None:
    identifier = stage.deliver(ttl_ms=1_000)
    stage.outlive(identifier)

    assert stage.lease() == []
    assert stage.state(identifier) is DeliveryState.EXPIRED


def test_a_message_whose_record_was_lost_becomes_a_dead_letter(stage: Stage) -> None:
    identifier = stage.deliver()
    stage.broker.redis.command("DEL", stage.broker.keys.message(identifier))

    assert stage.lease() == []

    packed = stage.broker.redis.command("HLEN", stage.broker.keys.receipts(BOB))
    assert packed == 1


def test_a_waiting_reader_gets_a_message_when_it_comes(stage: Stage) -> None:
    got: list[MessageId] = []
    watching = threading.Event()
    stage.broker.inboxes._arrivals.watch(BOB).__enter__()  # the subscriber starts

    def read() -> None:
        watching.set()
        got.extend(ids(stage.lease(wait_seconds=10)))

    reader = threading.Thread(target=read)
    reader.start()
    watching.wait(5)
    began = time.monotonic()
    identifier = stage.deliver()
    reader.join(10)

    assert got == [identifier]
    assert time.monotonic() - began < 4  # it was told; it did not just look again


def test_a_waiting_reader_gives_up_after_its_time(stage: Stage) -> None:
    began = time.monotonic()

    assert stage.lease(wait_seconds=0.1) == []

    assert 0.1 <= time.monotonic() - began < 3


def test_a_waiting_reader_can_be_stopped(stage: Stage) -> None:
    stop = threading.Event()
    stop.set()

    assert stage.lease(wait_seconds=60, stop=stop) == []


def test_receipts_tell_when_it_was_routed_delivered_read_and_finished(stage: Stage) -> None:
    identifier = stage.deliver()
    delivered = stage.lease_one()
    stage.broker.inboxes.mark_read(BOB, identifier)
    stage.ack(delivered)

    receipt = stage.receipt(identifier)
    times = [receipt.routed_at, receipt.delivered_at, receipt.read_at, receipt.finished_at]
    moments = [moment for moment in times if moment is not None]
    assert len(moments) == 4
    assert moments == sorted(moments)
    assert moments[-1] - moments[0] < HOUR_MS
