"""The scheduler's own promises: one MULTI, one leader, no backlog, a table that is kept in step."""

import threading
from collections.abc import Callable
from typing import cast

import pytest
from rq import Queue
from rq.job import Job

from broker.storage.leadership import Leadership
from broker.storage.timetable import Entry
from broker.wiring import Broker
from scheduler import schedule
from scheduler.safe_scheduler import SafeScheduler
from tests.conftest import MakeBroker
from tests.waiting import until

PREFIX = "system-"


def entry(name: str = "tick", job: str = "os.getpid", **fields: object) -> Entry:
    given: dict[str, object] = {"queue": "test", "interval_seconds": 60.0} | fields
    return Entry(name=PREFIX + name, job=job, **given)  # type: ignore[arg-type] # a test knows


@pytest.fixture
def queue(broker: Broker) -> Queue:
    return Queue(broker.keys.jobs_queue("test"), connection=broker.jobs.client)


@pytest.fixture
def scheduler(broker: Broker, queue: Queue) -> Callable[..., SafeScheduler]:
    """Make schedulers of one station with these entries."""

    def make(*entries: Entry) -> SafeScheduler:
        table = [
            Entry(
                name=f"{broker.keys.namespace}-{one.name}",
                job=one.job,
                queue=queue.name,
                arguments=one.arguments,
                interval_seconds=one.interval_seconds,
            )
            for one in entries
        ]
        prefix = f"{broker.keys.namespace}-{PREFIX}"
        return SafeScheduler(broker.jobs, broker.keys, system=table, prefix=prefix)

    return make


MakeScheduler = Callable[..., SafeScheduler]


def times(broker: Broker) -> dict[str, float]:
    """Return what is scheduled, with when."""
    found = broker.jobs.client.zrange(broker.keys.scheduled_jobs(), 0, -1, withscores=True)
    pairs = cast("list[tuple[bytes, float]]", found)
    return {name.decode(): at for name, at in pairs}


def names(broker: Broker) -> list[str]:
    return sorted(name.partition(PREFIX)[2] for name in times(broker))


def time_of(broker: Broker, name: str) -> float:
    return next(at for full, at in times(broker).items() if full.endswith(name))


def make_due(broker: Broker) -> None:
    """As if everything scheduled had come due."""
    for name in times(broker):
        broker.jobs.client.zadd(broker.keys.scheduled_jobs(), {name: 1})


def empty(queue: Queue) -> None:
    for job in queue.get_jobs():
        job.delete()


def test_an_entry_is_sent_when_due_and_set_again(
    broker: Broker, scheduler: MakeScheduler, queue: Queue
) -> None:
    one = scheduler(entry())

    pause = one.make_pass()

    (job,) = queue.get_jobs()
    assert job.func_name == "os.getpid"
    assert names(broker) == ["tick"]
    assert 0 < pause <= 1
    one.make_pass()
    assert len(queue) == 1


def test_a_due_time_within_the_second_shortens_the_pause(scheduler: MakeScheduler) -> None:
    one = scheduler(entry(interval_seconds=0.3))

    assert 0 < one.make_pass() <= 0.3


def test_nothing_is_sent_again_while_the_last_copy_waits_for_a_worker(
    broker: Broker, scheduler: MakeScheduler, queue: Queue
) -> None:
    one = scheduler(entry())
    for _ in range(5):
        one.make_pass()
        make_due(broker)

    assert len(queue) == 1
    empty(queue)
    make_due(broker)
    one.make_pass()
    assert len(queue) == 1


def test_a_job_that_died_between_pop_and_start_does_not_stop_its_entry(
    broker: Broker, scheduler: MakeScheduler, queue: Queue
) -> None:
    one = scheduler(entry())
    one.make_pass()
    broker.jobs.client.lpop(queue.key)  # its status still says that it is queued
    make_due(broker)

    one.make_pass()

    assert len(queue) == 1


def test_a_copy_that_nobody_takes_expires_and_the_next_is_sent_after_it_was_popped(
    broker: Broker, scheduler: MakeScheduler, queue: Queue
) -> None:
    one = scheduler(entry())
    one.make_pass()

    (name,) = queue.get_job_ids()

    assert 0 < broker.jobs.client.ttl(Job.key_for(name)) <= 60


def test_sending_and_setting_again_are_one_step(
    broker: Broker, scheduler: MakeScheduler, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = scheduler(entry())
    client = broker.jobs.client
    seen: list[tuple[int, bool]] = []
    watching = threading.Event()

    def watch() -> None:
        while not watching.is_set():
            with client.pipeline() as pipeline:
                pipeline.llen(queue.key)
                pipeline.zrangebyscore(broker.keys.scheduled_jobs(), "-inf", 2)
                length, due = pipeline.execute()
            seen.append((length, bool(due)))

    one.sync()
    one.acquire_lock()
    one.sync()
    thread = threading.Thread(target=watch)
    thread.start()
    for _ in range(100):
        empty(queue)
        make_due(broker)
        one.make_pass()
    watching.set()
    thread.join()

    assert (1, True) not in seen
    assert (1, False) in seen


def test_a_second_scheduler_stands_by_and_takes_over_from_one_that_stopped(
    broker: Broker, scheduler: MakeScheduler, queue: Queue
) -> None:
    one, other = scheduler(entry()), scheduler(entry())
    one.make_pass()
    empty(queue)
    make_due(broker)

    other.make_pass()
    assert len(queue) == 0
    one.remove_lock()
    other.make_pass()

    assert len(queue) == 1


def test_a_second_scheduler_takes_over_within_five_seconds_from_one_that_was_killed(
    broker: Broker, scheduler: MakeScheduler, queue: Queue
) -> None:
    scheduler(entry()).make_pass()
    other = scheduler(entry())
    empty(queue)
    make_due(broker)

    def takes_over() -> bool:
        other.make_pass()
        return len(queue) == 1

    until(takes_over, within=5, what="the other scheduler sends")


def test_a_scheduler_that_lost_its_lock_unawares_sends_nothing(
    broker: Broker, scheduler: MakeScheduler, queue: Queue
) -> None:
    stopped, other = scheduler(entry()), scheduler(entry())
    stopped.make_pass()
    empty(queue)
    make_due(broker)
    jobs = list(stopped.get_jobs_to_queue())
    # It was stopped here for longer than its lock lives.
    broker.jobs.client.delete(broker.keys.scheduler_lock())
    other.make_pass()
    empty(queue)

    for job in jobs:
        stopped.enqueue_job(job)

    assert len(queue) == 0
    stopped.remove_lock()
    assert broker.jobs.client.exists(broker.keys.scheduler_lock())


def test_writes_in_a_lost_leadership_are_void(broker: Broker) -> None:
    key = broker.keys.scheduler_lock()
    one, other = Leadership(broker.jobs, key), Leadership(broker.jobs, key)
    assert one.claim()
    assert not other.claim()
    target = f"{key}:target"

    def take_over_meanwhile(pipeline: object) -> None:
        broker.jobs.client.delete(key)
        assert other.claim()
        pipeline.set(target, "x")  # type: ignore[attr-defined] # redis-py's pipeline

    assert not one.write(take_over_meanwhile)
    assert not broker.jobs.client.exists(target)
    assert not one.held
    one.resign()
    assert other.claim()


def test_the_timetable_follows_the_table(broker: Broker, scheduler: MakeScheduler) -> None:
    first = scheduler(entry("kept"), entry("changed"), entry("removed"))
    first.make_pass()
    first.remove_lock()
    kept_before, changed_before = time_of(broker, "kept"), time_of(broker, "changed")

    second = scheduler(entry("kept"), entry("changed", interval_seconds=5.0), entry("added"))
    second.make_pass()

    assert names(broker) == ["added", "changed", "kept"]
    assert time_of(broker, "kept") == kept_before
    assert time_of(broker, "changed") < changed_before


def test_entries_of_recurring_messages_are_left_alone_by_the_table(
    broker: Broker, scheduler: MakeScheduler
) -> None:
    one = scheduler(entry())
    broker.recurring._timetable.arm({"rec_x": 4_000_000_000_000})

    one.make_pass()

    assert "rec_x" in times(broker)


def test_a_recurring_message_is_sent_to_the_retry_pool_once(
    broker: Broker, scheduler: MakeScheduler
) -> None:
    one = scheduler()
    broker.recurring._timetable.arm({"rec_x": 1_000})
    retry = Queue(broker.keys.jobs_queue("retry"), connection=broker.jobs.client)

    one.make_pass()
    one.make_pass()

    (job,) = retry.get_jobs()
    assert (job.func_name, tuple(job.args)) == ("workers.retry.fire_recurring", ("rec_x",))
    assert names(broker) == []
    assert not broker.jobs.client.exists(Job.key_for("rec_x"))


def test_disarming_takes_queued_copies_out_of_the_queue(
    broker: Broker, scheduler: MakeScheduler
) -> None:
    timetable = broker.recurring._timetable
    timetable.arm({"rec_x": 1_000, "rec_xy": 1_000})
    scheduler().make_pass()
    retry = Queue(broker.keys.jobs_queue("retry"), connection=broker.jobs.client)
    assert len(retry) == 2

    timetable.disarm("rec_x")

    (job,) = retry.get_jobs()
    assert tuple(job.args) == ("rec_xy",)


def test_an_entry_whose_job_is_gone_is_put_right(
    broker: Broker, scheduler: MakeScheduler, queue: Queue
) -> None:
    one = scheduler(entry())
    one.make_pass()
    empty(queue)
    for name in times(broker):
        broker.jobs.client.delete(Job.key_for(name))
    make_due(broker)

    one.make_pass()
    one.sync()
    one.make_pass()

    assert len(queue) == 1


def test_stations_on_one_redis_do_not_see_each_other(
    make_broker: MakeBroker, broker: Broker
) -> None:
    other = make_broker(namespace=f"{broker.keys.namespace}-other")
    schedulers = [
        SafeScheduler(
            one.jobs, one.keys, system=schedule.entries(one.keys), prefix=schedule.prefix(one.keys)
        )
        for one in (broker, other)
    ]

    for scheduler in schedulers:
        scheduler.make_pass()

    for one in (broker, other):
        assert one.jobs.client.zcard(one.keys.scheduled_jobs()) == len(schedule.SCHEDULE)
        routing = Queue(one.keys.jobs_queue("routing"), connection=one.jobs.client)
        assert [job.func_name for job in routing.get_jobs()] == ["workers.routing.sweep"]
