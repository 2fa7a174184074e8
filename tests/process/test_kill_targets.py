"""kill -9 of routers with groups and strategies in hand: each message reaches those it was for."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.kernel.ids import AgentId, MessageId, Partition
from broker.messaging.message import Draft, Strategy
from broker.messaging.queue import Accepted
from broker.operations.processes import Role
from broker.wiring import Broker
from tests.conftest import MakeBroker, MakeSettings
from tests.process.pools import Pools, killed, pools_of, sweeping
from tests.process.recovery import RECOVERY_SECONDS
from tests.waiting import until

pytestmark = pytest.mark.process

POOL = [AgentId(f"worker-{number}") for number in range(5)]
SENDERS = [AgentId(f"sender-{number}") for number in range(4)]
STRATEGIES = (None, *Strategy)
ROUNDS = 120


@pytest.fixture
def pools(settings: MakeSettings, tmp_path: Path) -> Iterator[Pools]:
    """Pools of this test's namespace."""
    with pools_of(settings(), tmp_path) as pools:
        yield pools


@pytest.fixture
def deep(make_broker: MakeBroker) -> Broker:
    """A broker whose inboxes take all that a test sends, with a pool of agents registered."""
    broker = make_broker(queue_max_depth=100_000)
    for name in POOL:
        broker.agents.register(name, {"tags": ("pool",)})
    return broker


def in_ingress(broker: Broker) -> int:
    partitions = map(Partition, broker.keys.all_partitions())
    return sum(broker.redis.commands([("ZCARD", broker.keys.ingress(one)) for one in partitions]))


def is_being_drained(broker: Broker) -> bool:
    partitions = map(Partition, broker.keys.all_partitions())
    return any(broker.redis.commands([("EXISTS", broker.keys.drainer(one)) for one in partitions]))


def send_some(broker: Broker) -> Iterator[tuple[MessageId, Strategy | None]]:
    drafts = [
        Draft(sender=sender, to=("tag:pool",), body="x", strategy=strategy)
        for sender in SENDERS
        for strategy in STRATEGIES
    ]
    for draft, result in zip(drafts, broker.queue.send_many(drafts), strict=True):
        assert isinstance(result, Accepted)
        yield result.id, draft.strategy


def test_routers_that_are_killed_choose_one_of_a_pool_once_and_forget_none_of_a_group(
    deep: Broker, pools: Pools
) -> None:
    sent: dict[MessageId, Strategy | None] = {}
    worker = pools.start(deep, Role.ROUTING)
    with sweeping(deep, every=1):
        for number in range(ROUNDS):
            sent |= send_some(deep)
            if number % 40 == 20:
                until(lambda: is_being_drained(deep), within=10, what="messages are being routed")
                killed(worker)
                worker = pools.start(deep, Role.ROUTING)
        until(lambda: not in_ingress(deep), within=RECOVERY_SECONDS, what="all are routed")

    arrived = Counter(
        MessageId(name.decode())
        for agent in POOL
        for name in deep.redis.command("ZRANGE", deep.keys.inbox(agent), 0, -1)
    )
    assert arrived == {
        identifier: len(POOL) if strategy is None else 1 for identifier, strategy in sent.items()
    }
