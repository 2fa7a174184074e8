"""kill -9 of workers under load: nothing is lost, doubled or out of order, and soon all is well."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.kernel.ids import AgentId, MessageId, Partition
from broker.messaging.delivery import Acknowledgement, Delivered, Wanted
from broker.messaging.message import Draft
from broker.messaging.queue import Accepted
from broker.operations.processes import Role
from broker.wiring import Broker
from tests.conftest import MakeBroker, MakeSettings
from tests.process.pools import Pools, killed, pools_of, sweeping
from tests.process.recovery import RECOVERY_SECONDS
from tests.waiting import until

SENDERS = [AgentId(f"sender-{number}") for number in range(6)]
RECIPIENTS = [AgentId(f"recipient-{number}") for number in range(3)]
LEASED = 300


@pytest.fixture
def pools(settings: MakeSettings, tmp_path: Path) -> Iterator[Pools]:
    """Pools of this test's namespace."""
    with pools_of(settings(), tmp_path) as pools:
        yield pools


@pytest.fixture
def deep(make_broker: MakeBroker) -> Broker:
    """A broker whose inboxes take all that a test sends, with its recipients registered."""
    broker = make_broker(queue_max_depth=100_000)
    for name in RECIPIENTS:
        broker.agents.register(name, {})
    return broker


class Load:
    """Senders that send in order to all recipients, each in a thread of its own."""

    def __init__(self, broker: Broker, *, rounds: int, batch: int = 50) -> None:
        self.sent: dict[tuple[AgentId, AgentId], list[MessageId]] = {
            (sender, recipient): [] for sender in SENDERS for recipient in RECIPIENTS
        }
        self._broker = broker
        self._rounds = rounds
        self._batch = batch
        self._threads = [threading.Thread(target=self._send, args=(one,)) for one in SENDERS]

    @property
    def count(self) -> int:
        return sum(map(len, self.sent.values()))

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        for thread in self._threads:
            thread.join()
        assert self.count == len(SENDERS) * self._rounds * self._batch

    def _send(self, sender: AgentId) -> None:
        for _ in range(self._rounds):
            to = [RECIPIENTS[number % len(RECIPIENTS)] for number in range(self._batch)]
            drafts = [Draft(sender=sender, to=(name,), body="x" * 100) for name in to]
            for name, result in zip(to, self._broker.queue.send_many(drafts), strict=True):
                assert isinstance(result, Accepted)
                self.sent[sender, name].append(result.id)


def waiting_in(broker: Broker, recipient: AgentId) -> list[MessageId]:
    """Return what stands in an inbox, in order, doubles included."""
    names = broker.redis.command("ZRANGE", broker.keys.inbox(recipient), 0, -1)
    return [MessageId(name.decode()) for name in names]


def unrouted(broker: Broker) -> int:
    partitions = map(Partition, broker.keys.all_partitions())
    depths = [("ZCARD", broker.keys.ingress(partition)) for partition in partitions]
    return sum(broker.redis.commands(depths))


def is_being_drained(broker: Broker) -> bool:
    """Whether a routing worker has messages in its hands right now."""
    partitions = map(Partition, broker.keys.all_partitions())
    held = [("EXISTS", broker.keys.drainer(partition)) for partition in partitions]
    return any(broker.redis.commands(held))


def test_a_routing_worker_killed_in_the_middle_loses_doubles_and_disorders_nothing(
    deep: Broker, pools: Pools
) -> None:
    load = Load(deep, rounds=40)
    worker = pools.start(deep, Role.ROUTING)
    with sweeping(deep, every=1):
        load.start()
        for _ in range(3):
            until(lambda: is_being_drained(deep), within=10, what="messages are being routed")
            killed(worker)
            worker = pools.start(deep, Role.ROUTING)
        load.finish()
        killed(worker)
        pools.start(deep, Role.ROUTING)

        until(lambda: not unrouted(deep), within=RECOVERY_SECONDS, what="all are routed")

    arrived = {name: waiting_in(deep, name) for name in RECIPIENTS}
    assert sum(map(len, arrived.values())) == load.count
    for (sender, recipient), sent in load.sent.items():
        members = set(sent)
        assert [one for one in arrived[recipient] if one in members] == sent, sender


def test_another_worker_makes_good_for_one_that_was_killed(deep: Broker, pools: Pools) -> None:
    load = Load(deep, rounds=20)
    worker = pools.start(deep, Role.ROUTING)
    pools.start(deep, Role.ROUTING)
    with sweeping(deep, every=1):
        load.start()
        until(lambda: is_being_drained(deep), within=10, what="messages are being routed")
        killed(worker)
        load.finish()

        until(lambda: not unrouted(deep), within=RECOVERY_SECONDS, what="all are routed")


def test_nothing_acknowledged_comes_back_while_workers_are_killed(
    deep: Broker, pools: Pools
) -> None:
    load = Load(deep, rounds=20)
    pools.start(deep, Role.RETRY)
    worker = pools.start(deep, Role.ROUTING)
    done = threading.Event()
    acknowledged: dict[AgentId, list[MessageId]] = {name: [] for name in RECIPIENTS}

    def consume(name: AgentId) -> None:
        while not (done.is_set() and not waiting_in(deep, name)):
            delivered = deep.inboxes.lease(name, Wanted(limit=100), wait_seconds=0.2)
            acknowledge(deep, name, delivered)
            acknowledged[name] += [one.message.id for one in delivered]

    consumers = [threading.Thread(target=consume, args=(name,)) for name in RECIPIENTS]
    with sweeping(deep):
        for thread in consumers:
            thread.start()
        load.start()
        for _ in range(2):
            until(lambda: is_being_drained(deep), within=10, what="messages are being routed")
            killed(worker)
            worker = pools.start(deep, Role.ROUTING)
        load.finish()
        until(lambda: not unrouted(deep), within=RECOVERY_SECONDS, what="all are routed")
        done.set()
        for thread in consumers:
            thread.join()

    for recipient in RECIPIENTS:
        sent = {one for sender in SENDERS for one in load.sent[sender, recipient]}
        assert len(acknowledged[recipient]) == len(sent)
        assert set(acknowledged[recipient]) == sent


def acknowledge(broker: Broker, name: AgentId, delivered: list[Delivered]) -> None:
    leases = [one.lease for one in delivered if one.lease is not None]
    broker.inboxes.acknowledge_many(
        name,
        [Acknowledgement(message_id=lease.message_id, token=lease.token) for lease in leases],
    )


def test_leases_return_though_retry_workers_are_killed_in_their_sweeps(
    deep: Broker, pools: Pools
) -> None:
    for name in RECIPIENTS:
        drafts = [Draft(sender=SENDERS[0], to=(name,), body="x") for _ in range(LEASED)]
        deep.queue.send_many(drafts)
    deep.router.drain()
    kept = {name: deep.inboxes.lease(name, Wanted(limit=10)) for name in RECIPIENTS}
    for name in RECIPIENTS:
        acknowledge(deep, name, kept[name])
        deep.inboxes.lease(name, Wanted(limit=LEASED), lease_ms=2_000)

    worker = pools.start(deep, Role.RETRY)
    with sweeping(deep, every=0.2):
        until(has_come(deep, 1), within=10, what="a lease has returned")
        killed(worker)
        worker = pools.start(deep, Role.RETRY)
        killed(worker)
        pools.start(deep, Role.RETRY)

        until(has_come(deep, LEASED - 10), within=RECOVERY_SECONDS, what="all leases return")

    for name in RECIPIENTS:
        gone = {one.message.id for one in kept[name]}
        assert not gone.intersection(waiting_in(deep, name))
        again = deep.inboxes.lease(name, Wanted(limit=LEASED))
        assert {one.attempt for one in again} == {2}


def has_come(broker: Broker, count: int) -> Callable[[], bool]:
    """Return what tells whether this many messages wait in each inbox."""
    return lambda: all(len(waiting_in(broker, name)) >= count for name in RECIPIENTS)
