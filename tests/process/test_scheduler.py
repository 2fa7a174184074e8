"""The scheduler as a process: alone, in pairs, killed at random, and while Redis is away."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.kernel.ids import AgentId
from broker.messaging.delivery import Wanted
from broker.messaging.message import Draft
from broker.messaging.recurring_definition import Recurring, RecurringRequest
from broker.messaging.recurring_store import TurnOutcome
from broker.operations.processes import Role
from broker.wiring import Broker
from config.settings import ROOT
from station.redis_server import find_server
from tests.conftest import MakeBroker, MakeSettings
from tests.process.pools import Pools, killed, pools_of, queue_of, stopped
from tests.process.recovery import RECOVERY_SECONDS
from tests.redis.servers import new_server
from tests.waiting import until

UNDER_FIRE_SECONDS = 15

Process = subprocess.Popen[bytes]


@pytest.fixture
def pools(settings: MakeSettings, tmp_path: Path) -> Iterator[Pools]:
    with pools_of(settings(), tmp_path) as pools:
        yield pools


def schedule(pools: Pools, *arguments: str) -> Process:
    """Run `python -m scheduler`."""
    with pools.log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "scheduler", *arguments],
            cwd=ROOT,
            env=pools.environ,
            stdout=log,
            stderr=log,
        )
    pools.started.append(process)
    return process


def start(pools: Pools, broker: Broker) -> Process:
    """Run it, and wait until it says that it lives."""
    process = schedule(pools)
    until(
        lambda: process.pid in {one.pid for one in broker.processes.alive(Role.SCHEDULER)},
        within=15,
        what=f"a scheduler lives; see {pools.log}",
    )
    return process


def every_second(broker: Broker) -> Recurring:
    for agent in ("alice", "bob"):
        broker.agents.register(AgentId(agent), {})
    template = Draft(sender=AgentId("alice"), to=("bob",), body="{{scheduled_at}}")
    made, _ = broker.recurring.create(RecurringRequest(template=template, schedule="interval:1"))
    return made


def slots_sent(broker: Broker, recurring: Recurring) -> list[int]:
    """Return the slots of the history, oldest first, in seconds after its creation."""
    history, _ = broker.recurring.history(recurring.id, limit=1000)
    assert {turn.outcome for turn in history} <= {TurnOutcome.SENT}
    start_ms = recurring.definition.created_at
    return [(turn.slot - start_ms) // 1000 for turn in reversed(history)]


def check_that_none_is_missing_or_doubled(broker: Broker, recurring: Recurring) -> int:
    broker.recurring.pause(recurring.id)
    slots = slots_sent(broker, recurring)
    assert slots == list(range(1, len(slots) + 1))

    def bodies() -> list[str | None]:
        shown = broker.inboxes.peek(AgentId("bob"), Wanted(limit=1000))
        return [one.message.body for one in shown]

    until(lambda: len(bodies()) >= len(slots), within=10, what="all are in the inbox")
    assert len(set(bodies())) == len(bodies()) == len(slots)
    return len(slots)


def test_it_says_that_it_lives_and_ends_when_asked(broker: Broker, pools: Pools) -> None:
    assert schedule(pools, "health").wait(15) == 1
    process = start(pools, broker)
    assert schedule(pools, "health").wait(15) == 0
    until(lambda: queue_of(broker, Role.ROUTING).job_ids, within=5, what="it sends the first sweep")

    assert stopped(process) == 0

    assert broker.processes.alive(Role.SCHEDULER) == []
    assert not broker.jobs.client.exists(broker.keys.scheduler_lock())


def test_ctrl_c_ends_it_as_well(broker: Broker, pools: Pools) -> None:
    process = start(pools, broker)

    process.send_signal(signal.SIGINT)

    assert process.wait(5) == 0


def test_a_recurring_message_arrives_on_time(broker: Broker, pools: Pools) -> None:
    start(pools, broker)
    pools.start(broker, Role.RETRY)
    pools.start(broker, Role.ROUTING)

    made = every_second(broker)
    until(lambda: len(slots_sent(broker, made)) >= 5, within=15, what="five are sent")

    history, _ = broker.recurring.history(made.id, limit=10)
    late = sorted(turn.at - turn.slot for turn in history)
    assert late[len(late) // 2] < 1_000
    check_that_none_is_missing_or_doubled(broker, made)


def test_a_killed_scheduler_is_replaced_in_time(broker: Broker, pools: Pools) -> None:
    first = start(pools, broker)
    start(pools, broker)
    queue = queue_of(broker, Role.ROUTING)
    until(lambda: queue.job_ids, within=5, what="one of them sends")
    leader_token = broker.jobs.client.get(broker.keys.scheduler_lock())

    killed(first)
    queue.delete(delete_jobs=True)

    until(lambda: queue.job_ids, within=RECOVERY_SECONDS, what="the other one sends")
    assert leader_token is not None


def test_two_schedulers_killed_at_random_miss_nothing_and_double_nothing(
    broker: Broker, pools: Pools
) -> None:
    dice = random.Random()
    running = [start(pools, broker), start(pools, broker)]
    pools.start(broker, Role.RETRY)
    pools.start(broker, Role.ROUTING)
    made = every_second(broker)
    until(lambda: slots_sent(broker, made), within=10, what="the first is sent")

    deadline = time.monotonic() + UNDER_FIRE_SECONDS
    kills = 0
    while time.monotonic() < deadline:
        seen = len(slots_sent(broker, made))
        moment = time.monotonic() + dice.uniform(0, 1.5)
        until(lambda at=moment: time.monotonic() >= at, within=2, what="a moment later")  # type: ignore[misc] # binds it
        victim = dice.choice(running)
        killed(victim)
        running[running.index(victim)] = schedule(pools)
        kills += 1
        until(
            lambda count=seen: len(slots_sent(broker, made)) > count,  # type: ignore[misc] # binds it
            within=RECOVERY_SECONDS + 2,
            what="it goes on",
        )

    assert kills >= 3
    assert check_that_none_is_missing_or_doubled(broker, made) >= UNDER_FIRE_SECONDS - 3


def test_workers_killed_at_random_while_they_fire_miss_nothing_and_double_nothing(
    broker: Broker, pools: Pools
) -> None:
    dice = random.Random()
    start(pools, broker)
    pools.start(broker, Role.ROUTING)
    running = [pools.start(broker, Role.RETRY), pools.start(broker, Role.RETRY)]
    made = every_second(broker)
    until(lambda: slots_sent(broker, made), within=10, what="the first is sent")

    for _ in range(4):
        seen = len(slots_sent(broker, made))
        moment = time.monotonic() + dice.uniform(0, 1.5)
        until(lambda at=moment: time.monotonic() >= at, within=2, what="a moment later")  # type: ignore[misc] # binds it
        victim = dice.choice(running)
        killed(victim)
        running[running.index(victim)] = pools.run(Role.RETRY)
        until(
            lambda count=seen: len(slots_sent(broker, made)) > count,  # type: ignore[misc] # binds it
            within=10,
            what="it goes on",
        )

    check_that_none_is_missing_or_doubled(broker, made)


def test_it_waits_for_redis_and_survives_its_restart(
    make_broker: MakeBroker, settings: MakeSettings, tmp_path: Path
) -> None:
    server = new_server(find_server(), appendonly="yes", appendfsync="always")
    urls = {"redis_url": server.url, "jobs_redis_url": server.url}
    with pools_of(settings(**urls), tmp_path) as pools:
        process = schedule(pools)
        until(lambda: "waits_for_redis" in pools.log.read_text(), within=15, what="it waits")
        server.start()
        try:
            broker = make_broker(**urls)
            routing = queue_of(broker, Role.ROUTING)
            until(lambda: routing.job_ids, within=RECOVERY_SECONDS, what="it sends")

            server.kill()
            until(lambda: "redis_is_away" in pools.log.read_text(), within=5, what="it sees that")
            server.start()
            routing.delete(delete_jobs=True)

            until(lambda: routing.job_ids, within=RECOVERY_SECONDS, what="it sends again")
            assert process.poll() is None
            assert stopped(process) == 0
        finally:
            server.kill()


def test_a_redis_that_lost_its_data_gets_the_timetable_again(broker: Broker, pools: Pools) -> None:
    start(pools, broker)
    scheduled = broker.keys.scheduled_jobs()
    until(lambda: broker.jobs.client.zcard(scheduled), within=5, what="it has set its entries")

    broker.jobs.client.delete(scheduled, broker.keys.scheduler_lock())

    until(
        lambda: broker.jobs.client.zcard(scheduled), within=RECOVERY_SECONDS, what="they are back"
    )
