"""The server with the data dies, and its replica takes over: by Sentinel, and in a cluster."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from broker.kernel.errors import StorageUnavailableError
from broker.kernel.ids import AgentId, MessageId
from broker.wiring import build_broker
from config.settings import Settings
from tests.conftest import MakeSettings
from tests.redis.servers import (
    NODES,
    SLOTS,
    Server,
    binary_for,
    cluster_url,
    is_in_step,
    running,
    running_cluster,
    running_sentinel,
)
from tests.redis.stage import Stage
from tests.waiting import until

TAKE_OVER_SECONDS = 20
SECRET = "sentinels-own"


@pytest.fixture
def binary(request: pytest.FixtureRequest) -> Path:
    return binary_for(request.config.getoption("--redis"))


@contextmanager
def on_stage(settings: Settings) -> Iterator[Stage]:
    stage = Stage(broker=build_broker(settings), settings=settings)
    stage.broker.prepare()
    stage.register("alice", "bob")
    yield stage
    stage.broker.redis.client.close()
    stage.broker.jobs.client.close()


def send_patiently(stage: Stage) -> MessageId:
    """Send as a client does: again, under the same key, for as long as Redis is away."""

    def accepted() -> MessageId | None:
        try:
            return stage.send(idempotency_key="after the failover")
        except StorageUnavailableError:
            return None

    return until(accepted, within=TAKE_OVER_SECONDS, what="a server that accepts messages")


def replicate(master: Server) -> None:
    """Wait until a replica has what was written so far."""
    with master.client() as client:
        assert client.wait(1, 5000) >= 1


def check(stage: Stage, before: list[MessageId]) -> None:
    after = send_patiently(stage)
    until(lambda: stage.route() or after in stage.inbox(), within=10, what="routing")
    assert stage.inbox() == [*before, after]
    for _ in range(len(before) + 1):
        stage.ack(stage.lease_one())
    stage.settle()
    assert stage.lease() == []


def test_by_sentinel(binary: Path, settings: MakeSettings, jobs_redis_url: str) -> None:
    with (
        running(binary, appendonly="yes") as master,
        running(
            binary,
            password=master.password,
            replicaof=f"127.0.0.1 {master.port}",
            appendonly="yes",
        ) as replica,
        running_sentinel(master, password=SECRET) as sentinel,
    ):
        until(lambda: is_in_step(replica), within=20, what="a replica in step")
        until(lambda: sentinel_knows_a_replica(sentinel), within=20, what="a Sentinel that knows")
        # The first of the two Sentinels is not there.
        hosts = f"127.0.0.1:1,127.0.0.1:{sentinel.port}"
        url = f"redis+sentinel://:{master.password}@{hosts}/waystation?sentinel_password={SECRET}"
        with on_stage(settings(redis_url=url, jobs_redis_url=jobs_redis_url)) as stage:
            before = [stage.deliver() for _ in range(5)]
            replicate(master)

            master.kill()

            check(stage, before)


def sentinel_knows_a_replica(sentinel: Server) -> bool:
    with sentinel.client() as client:
        return len(client.sentinel_slaves("waystation")) == 1


def test_in_a_cluster(binary: Path, settings: MakeSettings, jobs_redis_url: str) -> None:
    with running_cluster(binary, replicas=True) as nodes:
        chosen = settings(redis_url=cluster_url(nodes), jobs_redis_url=jobs_redis_url)
        with on_stage(chosen) as stage:
            before = [stage.deliver() for _ in range(5)]
            for master in nodes[:NODES]:
                replicate(master)
            partition = stage.broker.keys.partition_for(AgentId("alice"))
            slot = stage.broker.redis.client.keyslot(stage.broker.keys.ingress(partition))  # type: ignore[attr-defined] # a cluster's client

            nodes[min(slot // (SLOTS // NODES), NODES - 1)].kill()

            check(stage, before)


def test_a_cluster_that_is_not_there_yet_is_waited_for(
    binary: Path, settings: MakeSettings, jobs_redis_url: str
) -> None:
    url = "redis+cluster://127.0.0.1:1"

    broker = build_broker(settings(redis_url=url, jobs_redis_url=jobs_redis_url))

    with pytest.raises(StorageUnavailableError):
        broker.prepare()
