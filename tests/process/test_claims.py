"""kill -9 of those who hold claims, and of those who end them: the pool goes on."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId, Partition
from broker.messaging.delivery import Wanted
from broker.messaging.message import Draft
from broker.messaging.queue import Accepted
from broker.operations.processes import Role
from broker.wiring import Broker
from config.settings import ROOT
from tests.conftest import MakeSettings
from tests.process.pools import Pools, killed, pools_of, sweeping
from tests.process.recovery import RECOVERY_SECONDS
from tests.waiting import until

BOB, CAROL, DORA = POOL = tuple(map(AgentId, ("bob", "carol", "dora")))
CLAIM_MS = 4_000
OFFERS = 150


@pytest.fixture
def pools(settings: MakeSettings, tmp_path: Path) -> Iterator[Pools]:
    """Pools of this test's namespace."""
    with pools_of(settings(), tmp_path) as pools:
        yield pools


@pytest.fixture
def pool(broker: Broker) -> Broker:
    """A broker with the agents of a pool."""
    for name in POOL:
        broker.agents.register(name, {})
    return broker


def offer(broker: Broker, count: int) -> list[MessageId]:
    """Offer messages to the whole pool; their ids."""
    drafts = [
        Draft(sender=AgentId("alice"), to=POOL, body="one of you", claimable=True)
        for _ in range(count)
    ]
    sent = [one.id for one in broker.queue.send_many(drafts) if isinstance(one, Accepted)]
    broker.router.drain_unrung()
    return sent


def waiting_in(broker: Broker, agent: AgentId) -> set[MessageId]:
    names = broker.redis.command("ZRANGE", broker.keys.inbox(agent), 0, -1)
    return {MessageId(name.decode()) for name in names}


def taken_back(broker: Broker, agent: AgentId) -> int:
    """Return how many offers to an agent have their verdict."""
    return int(broker.redis.command("HLEN", broker.keys.receipts(agent)))


def untold(broker: Broker) -> int:
    """Return how many claims there are of whose end somebody has yet to hear."""
    partitions = map(Partition, broker.keys.all_partitions())
    return sum(broker.redis.commands([("ZCARD", broker.keys.claims(one)) for one in partitions]))


def states(broker: Broker, message: MessageId) -> dict[AgentId, DeliveryState]:
    return {one.agent_id: one.state for one in broker.archive.receipts(message)}


def test_the_claim_of_a_process_that_dies_returns_to_the_pool(pool: Broker, pools: Pools) -> None:
    (message,) = offer(pool, 1)
    pools.start(pool, Role.RETRY)
    claimer = subprocess.Popen(
        [sys.executable, "-m", "tests.process.claimer", BOB, message, str(CLAIM_MS)],
        cwd=ROOT,
        env=pools.environ,
        stdout=subprocess.PIPE,
    )
    pools.started.append(claimer)
    assert claimer.stdout is not None
    assert claimer.stdout.readline() == b"claimed\n"
    ends_at = time.monotonic() + CLAIM_MS / 1000
    with sweeping(pool):
        killed(claimer)
        shown = pool.inboxes.lease(CAROL, Wanted(limit=1000))
        assert shown == []

        until(
            lambda: message in waiting_in(pool, CAROL),
            within=CLAIM_MS / 1000 + RECOVERY_SECONDS,
            what="the message is offered again",
        )

    assert time.monotonic() < ends_at + RECOVERY_SECONDS
    assert pool.claims.claim(CAROL, message).message.id == message


def test_claims_come_to_their_ends_though_retry_workers_are_killed_between_the_steps(
    pool: Broker, pools: Pools
) -> None:
    offers = offer(pool, OFFERS)
    abandoned, finished = offers[: OFFERS // 2], offers[OFFERS // 2 :]
    for message in finished:
        held = pool.claims.claim(DORA, message)
        assert held.lease is not None
        pool.inboxes.acknowledge(DORA, message, held.lease.token)
    for message in abandoned:
        pool.claims.claim(BOB, message, claim_ms=CLAIM_MS)
    pool.inboxes.lease(CAROL, Wanted(limit=1000))  # learns of each claim, and puts its offer aside

    worker = pools.start(pool, Role.RETRY)
    with sweeping(pool, every=0.1):
        for begun, what in (
            (lambda: taken_back(pool, CAROL), "an offer has been taken back"),
            (lambda: waiting_in(pool, CAROL), "a message is offered again"),
        ):
            until(begun, within=10, what=what)
            killed(worker)
            worker = pools.start(pool, Role.RETRY)

        until(
            lambda: waiting_in(pool, CAROL) == set(abandoned),
            within=CLAIM_MS / 1000 + RECOVERY_SECONDS,
            what="all that was abandoned is offered again, and nothing else",
        )
        until(lambda: not untold(pool), within=RECOVERY_SECONDS, what="everybody was told")

    taken = DeliveryState.TAKEN
    for message in finished:
        done = {BOB: taken, CAROL: taken, DORA: DeliveryState.ACKNOWLEDGED}
        assert states(pool, message) == done
    for message in abandoned:
        assert set(states(pool, message).values()) == {DeliveryState.QUEUED}
