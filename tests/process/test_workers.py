"""Worker processes start, tell that they live, take jobs, and end when they are asked to."""

import dataclasses
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from rq import Retry
from rq.registry import StartedJobRegistry

from broker.kernel.ids import AgentId
from broker.messaging.message import Draft
from broker.operations.processes import Role
from broker.wiring import Broker
from station.redis_server import find_server
from tests.conftest import MakeBroker, MakeSettings
from tests.process.pools import Pools, killed, pools_of, queue_of, stopped, sweeping
from tests.process.recovery import RECOVERY_SECONDS
from tests.process.slow_job import SLOW_JOB
from tests.redis.servers import new_server
from tests.waiting import until

POOLS = (Role.ROUTING, Role.DELIVERY, Role.RETRY, Role.EXECUTION)
PINGS = {
    Role.ROUTING: "workers.routing.drain",
    Role.DELIVERY: "workers.delivery.push",
    Role.RETRY: "workers.retry.sweep",
    Role.EXECUTION: "workers.execution.ping",
}


@pytest.fixture
def pools(settings: MakeSettings, tmp_path: Path) -> Iterator[Pools]:
    """Pools of this test's namespace."""
    with pools_of(settings(), tmp_path) as pools:
        yield pools


@pytest.mark.parametrize("role", POOLS)
def test_a_pool_says_that_it_lives_takes_jobs_and_ends_when_asked(
    broker: Broker, pools: Pools, role: Role
) -> None:
    process = pools.start(broker, role)
    assert pools.check(role) == 0

    job = queue_of(broker, role).enqueue(PINGS[role], result_ttl=60)
    until(lambda: job.get_status() == "finished", within=10, what="the job is finished")

    assert stopped(process) == 0
    assert broker.processes.alive(role) == []
    assert pools.check(role) == 1


def test_ctrl_c_ends_a_worker_as_well(broker: Broker, pools: Pools) -> None:
    process = pools.start(broker, Role.RETRY)

    process.send_signal(signal.SIGINT)

    assert process.wait(5) == 0


def test_several_processes_of_a_pool_live_side_by_side(broker: Broker, pools: Pools) -> None:
    first, second = pools.start(broker, Role.ROUTING), pools.start(broker, Role.ROUTING)

    names = {process.name for process in broker.processes.alive(Role.ROUTING)}

    assert len(names) == 2
    assert stopped(first) == stopped(second) == 0


def test_a_killed_process_is_not_alive_for_long(broker: Broker, pools: Pools) -> None:
    killed(pools.start(broker, Role.ROUTING))

    until(lambda: not broker.processes.alive(), within=8, what="it is forgotten")


def test_a_wrong_setting_is_said_at_once(broker: Broker, pools: Pools) -> None:
    pools.settings = dataclasses.replace(pools.settings, namespace="a b")

    assert pools.run("routing").wait(10) == 1
    assert "WAYSTATION_NAMESPACE" in pools.log.read_text()


def test_data_of_another_layout_is_refused_with_a_sentence(broker: Broker, pools: Pools) -> None:
    pools.settings = dataclasses.replace(pools.settings, partitions=8)

    assert pools.run("routing").wait(10) == 1
    assert "WAYSTATION_PARTITIONS=4" in pools.log.read_text()


# --- Redis comes late, and goes ---------------------------------------------------------------


def test_workers_wait_for_redis_and_survive_its_restart(
    make_broker: MakeBroker, settings: MakeSettings, tmp_path: Path
) -> None:
    server = new_server(find_server(), appendonly="yes", appendfsync="always")
    with pools_of(settings(redis_url=server.url, jobs_redis_url=server.url), tmp_path) as pools:
        process = pools.run(Role.ROUTING)
        until(lambda: "waits_for_redis" in pools.log.read_text(), within=10, what="it waits")
        server.start()
        try:
            broker = make_broker(redis_url=server.url, jobs_redis_url=server.url)
            broker.agents.register(AgentId("bob"), {})
            with sweeping(broker):
                arrives(broker, within=RECOVERY_SECONDS)

                server.kill()
                until(lambda: "lost_redis" in pools.log.read_text(), within=5, what="it sees that")
                server.start()

                until(broker.processes.alive, within=RECOVERY_SECONDS, what="it beats")
                arrives(broker, within=RECOVERY_SECONDS)
            assert process.poll() is None
            assert stopped(process) == 0
        finally:
            server.kill()


def arrives(broker: Broker, *, within: float) -> None:
    """See a new message reach its inbox."""
    depth = broker.redis.command("ZCARD", broker.keys.inbox(AgentId("bob")))
    broker.queue.send(Draft(sender=AgentId("alice"), to=("bob",), body="hello"))
    until(
        lambda: broker.redis.command("ZCARD", broker.keys.inbox(AgentId("bob"))) == depth + 1,
        within=within,
        what="the message arrives",
    )


# --- ends in the middle of a job ----------------------------------------------------------------


@pytest.mark.parametrize("role", [Role.RETRY, Role.EXECUTION])
def test_a_worker_that_is_asked_to_stop_finishes_its_job(
    broker: Broker, pools: Pools, namespace: str, role: Role
) -> None:
    process = pools.start(broker, role)
    queue_of(broker, role).enqueue(SLOW_JOB, namespace, result_ttl=0)
    until(said(broker, f"{namespace}:started"), within=5, what="the job has started")

    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1.5)
    broker.jobs.command("RPUSH", f"{namespace}:release", 1)

    assert process.wait(5) == 0
    assert said(broker, f"{namespace}:finished")()


def test_a_job_whose_worker_and_horse_are_killed_is_repeated(
    broker: Broker, pools: Pools, namespace: str
) -> None:
    process, queue = pools.start(broker, Role.EXECUTION), queue_of(broker, Role.EXECUTION)
    job = queue.enqueue(SLOW_JOB, namespace, result_ttl=60, retry=Retry(max=3))
    until(said(broker, f"{namespace}:started"), within=5, what="the job has started")
    horses = psutil.Process(process.pid).children()

    killed(process)
    pools.start(broker, Role.EXECUTION)

    assert psutil.wait_procs(horses, timeout=2)[1] == []
    until(
        lambda: said(broker, f"{namespace}:started")() == 2,
        within=RECOVERY_SECONDS + 1,
        what="the job has started again",
    )
    broker.jobs.command("RPUSH", f"{namespace}:release", 1)
    until(lambda: job.get_status() == "finished", within=5, what="the job is finished")
    assert StartedJobRegistry(queue=queue).get_job_ids(cleanup=False) == []


def test_a_horse_that_is_killed_does_not_take_its_worker_along(
    broker: Broker, pools: Pools, namespace: str
) -> None:
    process, queue = pools.start(broker, Role.EXECUTION), queue_of(broker, Role.EXECUTION)
    job = queue.enqueue(SLOW_JOB, namespace, failure_ttl=60)
    until(said(broker, f"{namespace}:started"), within=5, what="the job has started")

    (horse,) = psutil.Process(process.pid).children()
    horse.kill()

    until(lambda: job.get_status() == "failed", within=5, what="the job has failed")
    assert process.poll() is None


def said(broker: Broker, key: str) -> Callable[[], int]:
    """Return what tells how often a slow job has said this."""
    return lambda: int(broker.jobs.command("LLEN", key))
