"""The doorbell and the drainer: who is woken, who listens, and how work is handed on."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from rq import Queue

from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId, Partition
from broker.routing.store import RoutingStore
from tests.redis.conftest import MakeStage
from tests.redis.stage import Stage
from tests.waiting import until

HERE = Partition(1)
THERE = Partition(2)


@pytest.fixture
def jobs_sent(stage: Stage) -> Callable[[], int]:
    """How many routing jobs have been sent, to nobody."""
    broker = stage.broker
    queue = Queue(broker.keys.jobs_queue("routing"), connection=broker.jobs.client)
    return lambda: queue.count


def test_many_rings_send_one_job(stage: Stage, jobs_sent: Callable[[], int]) -> None:
    for _ in range(5):
        stage.broker.doorbell.ring([HERE, THERE])

    assert jobs_sent() == 1
    assert stage.broker.doorbell.answer("one") == [HERE, THERE]


def test_rings_send_no_job_while_a_drainer_listens(
    stage: Stage, jobs_sent: Callable[[], int]
) -> None:
    doorbell = stage.broker.doorbell
    assert doorbell.answer("one") == []

    doorbell.ring([HERE])

    assert jobs_sent() == 0
    assert doorbell.answer("one") == [HERE]


def test_a_drainer_cannot_leave_while_something_rings(
    stage: Stage, jobs_sent: Callable[[], int]
) -> None:
    doorbell = stage.broker.doorbell
    doorbell.answer("one")
    doorbell.ring([HERE])

    assert doorbell.leave("one") == [HERE]
    assert doorbell.leave("one") == []

    doorbell.ring([HERE])
    assert jobs_sent() == 1


def test_a_drainer_that_leaves_does_not_speak_for_another(
    stage: Stage, jobs_sent: Callable[[], int]
) -> None:
    doorbell = stage.broker.doorbell
    doorbell.answer("one")
    doorbell.answer("another")

    doorbell.leave("one")
    doorbell.ring([HERE])

    assert jobs_sent() == 0


def test_nobody_counts_on_a_drainer_that_hands_its_work_on(
    stage: Stage, jobs_sent: Callable[[], int]
) -> None:
    doorbell = stage.broker.doorbell
    doorbell.answer("one")

    doorbell.ring([HERE], token="one")

    assert jobs_sent() == 1


def test_nobody_counts_long_on_a_drainer_that_died(
    stage: Stage, jobs_sent: Callable[[], int]
) -> None:
    stage.broker.doorbell.answer("one")

    def sent() -> bool:
        stage.broker.doorbell.ring([HERE])
        return jobs_sent() > 0

    until(sent, within=1, what="a ring sends a job")


def test_a_drainer_ends_under_endless_work_and_hands_it_on(
    stage: Stage, jobs_sent: Callable[[], int]
) -> None:
    stop, sent = threading.Event(), threading.Event()

    def send_without_end() -> None:
        while not stop.is_set():
            stage.send()
            sent.set()

    sender = threading.Thread(target=send_without_end)
    sender.start()
    assert sent.wait(5)
    before, started = jobs_sent(), time.monotonic()
    stage.broker.router.drain()
    took = time.monotonic() - started
    stop.set()
    sender.join()

    assert took < 5
    # On a slow day the drainer ends just when nothing is left.
    keys = stage.broker.keys
    ingress = keys.ingress(keys.partition_for(AgentId("alice")))
    assert jobs_sent() > before or stage.broker.redis.command("ZCARD", ingress) == 0


def test_a_partition_given_up_may_be_taken_at_once(stage: Stage) -> None:
    identifier = stage.send()
    stage.take(token="one")
    store, partition = stage.routing_store(), stage.broker.keys.partition_for(AgentId("alice"))

    store.leave([partition], "another")
    assert stage.take(token="two") is None
    store.leave([partition], "one")

    batch = stage.take(token="two")
    assert batch is not None
    assert batch.ids == (identifier,)


def test_the_last_release_ends_the_hold_so_that_the_next_message_rings(stage: Stage) -> None:
    stage.send()
    batch = stage.take(token="one")
    assert batch is not None
    store, partition = stage.routing_store(), stage.broker.keys.partition_for(AgentId("alice"))

    assert store.release({partition: batch.ids}, "one") == {partition}

    stage.broker.doorbell.answer("")
    stage.send()
    assert stage.broker.doorbell.answer("") == [partition]


def test_two_drainers_deliver_once_and_in_order(make_stage: MakeStage) -> None:
    stage = make_stage(partitions=2)
    senders = [f"sender-{number}" for number in range(8)]
    sent: dict[str, list[MessageId]] = {name: [] for name in senders}
    stop = threading.Event()

    def send(name: str) -> None:
        sent[name] += [stage.send(sender=name) for _ in range(60)]

    def drain() -> None:
        while not stop.is_set():
            stage.broker.router.drain()

    sending = [threading.Thread(target=send, args=(name,)) for name in senders]
    draining = [threading.Thread(target=drain) for _ in range(2)]
    for thread in sending + draining:
        thread.start()
    for thread in sending:
        thread.join()
    until(lambda: len(stage.inbox()) == 480, within=10, what="all of them arrive")
    stop.set()
    for thread in draining:
        thread.join()

    arrived = stage.inbox()
    for name in senders:
        assert [one for one in arrived if one in set(sent[name])] == sent[name]


def test_a_broadcast_reaches_more_agents_of_a_partition_than_lua_can_unpack_keys_of(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(partitions=1)
    stage.register(*(f"agent-{number}" for number in range(1_000)))

    identifier = stage.deliver("broadcast")

    assert stage.inbox("agent-999") == [identifier]
    assert len(stage.broker.archive.receipts(identifier)) == 1_001


def first_half(work: Any) -> Any:
    """What has been done of a trip that ends in the middle; each transition is atomic by itself."""
    if isinstance(work, dict):
        return dict(list(work.items())[: (len(work) + 1) // 2])
    return work[: (len(work) + 1) // 2]


class Died(BaseException):
    """What a kill -9 looks like from within: nothing after this line happens."""


@pytest.mark.parametrize("how", ["before", "halfway", "after"])
@pytest.mark.parametrize("step", ["take", "envelopes", "address", "commit", "hold", "release"])
def test_a_drainer_that_dies_at_any_step_leaves_all_to_the_next(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch, step: str, how: str
) -> None:
    stage = make_stage(partitions=2)
    stage.register("carol", *(f"agent-{number}" for number in range(700)))
    sent = [
        stage.send(to, sender=sender)
        for to in ("bob", ("bob", "carol"), "broadcast", "bob", "broadcast", "broadcast", "carol")
        for sender in ("alice", "dave")
    ]
    whole = getattr(RoutingStore, step)

    def die(store: RoutingStore, work: Any, *rest: Any) -> None:
        if how == "after":
            whole(store, work, *rest)
        if how == "halfway":
            whole(store, first_half(work), *rest)
        raise Died

    monkeypatch.setattr(RoutingStore, step, die)
    with pytest.raises(Died):
        stage.broker.router.drain()
    monkeypatch.undo()
    stage.forget_drainer("alice")
    stage.forget_drainer("dave")
    stage.route()

    to_carol = [one for number, one in enumerate(sent) if number // 2 not in {0, 3}]
    for sender in ("alice", "dave"):
        mine = {one for number, one in enumerate(sent) if (number % 2 == 0) == (sender == "alice")}
        inbox = [one for one in stage.inbox("carol") if one in mine]
        assert inbox == [one for one in to_carol if one in mine]
    assert len(stage.inbox("agent-699")) == 6


def test_a_broadcast_goes_to_those_whom_its_first_router_meant(stage: Stage) -> None:
    stage.register("carol")
    identifier = stage.send("broadcast")
    batch = stage.take()
    assert batch is not None
    (message,) = stage.routing_store().envelopes(batch.ids).values()
    stage.routing_store().address([(message, [AgentId("bob"), AgentId("carol")])], 0)
    stage.forget_drainer()

    stage.broker.agents.delete(AgentId("carol"))
    stage.register("newcomer")
    stage.route()

    states = {one.agent_id: one.state for one in stage.broker.archive.receipts(identifier)}
    assert states == {"bob": DeliveryState.QUEUED, "carol": DeliveryState.DEAD}
    assert stage.inbox("newcomer") == []


def test_one_who_broadcasts_does_not_keep_others_waiting(make_stage: MakeStage) -> None:
    stage = make_stage(partitions=64)
    stage.register(*(f"agent-{number}" for number in range(100)))
    keys, store = stage.broker.keys, stage.broker.router._store
    names = sorted((f"sender-{n}" for n in range(20)), key=lambda n: keys.partition_for(AgentId(n)))
    loud, quiet = names[0], names[-1]
    release, rounds = store.release, []

    def note(done: Mapping[Partition, Sequence[MessageId]], token: str) -> set[Partition]:
        rounds.append(set(done))
        return release(done, token)

    store.release = note  # type: ignore[method-assign,assignment]
    stage.broker.queue.send_many([stage.draft("broadcast", loud) for _ in range(100)])
    stage.send("bob", quiet)
    stage.route()

    assert len(rounds) > 3
    assert keys.partition_for(AgentId(quiet)) in rounds[0] | rounds[1]
