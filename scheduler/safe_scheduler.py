"""rq-scheduler, made safe against kill -9, against a second scheduler, and against idle workers.

What the original does, and what this does instead:

- It enqueues, takes the job off its schedule and puts it back in three steps; killed between them,
  the job never runs again. Here they are one MULTI.
- Its lock outlives a kill -9 by 70 seconds, and whoever stops deletes it, even another's. Here it
  lives three seconds, belongs to a token, and every write is void if the lock was lost meanwhile.
- It enqueues a job again while the last one still waits for a worker. Here nothing is enqueued as
  long as the last copy lies in the queue's list. Its list, not its status: a job that died with a
  worker between pop and start is queued by its status for ever.
- Its keys are the same for everybody on one Redis. Here they are the station's own.
- It counts in whole seconds of the local clock. Here a pass begins when the next job is due, by
  the clock of Redis.
- It goes down when Redis does. Here it waits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import structlog
from rq import Queue
from rq.job import Job
from rq_scheduler import Scheduler

from broker.kernel.errors import StorageUnavailableError
from broker.storage.connection import Redis, translated
from broker.storage.keys import Keys
from broker.storage.leadership import Leadership
from broker.storage.timetable import Entry, copy_of, remove_entry

_LONGEST_PAUSE_SECONDS: Final = 1.0
_STAND_BY_SECONDS: Final = 0.5
_SYNC_SECONDS: Final = 10.0
# A pass with more due than this goes on in the next, after the leadership was renewed.
_PER_PASS: Final = 100

_log = structlog.get_logger(__name__)


class SafeScheduler(Scheduler):  # type: ignore[misc] # rq_scheduler has no types
    """Sends what the timetable holds: the station's own entries, and those of recurring messages.

    `system` are the entries that the timetable shall hold, of all whose names begin with `prefix`.
    """

    def __init__(self, jobs: Redis, keys: Keys, *, system: Sequence[Entry], prefix: str) -> None:
        super().__init__(connection=jobs.client, interval=_LONGEST_PAUSE_SECONDS)
        self.scheduled_jobs_key = keys.scheduled_jobs()
        self.scheduler_lock_key = keys.scheduler_lock()
        self._leadership = Leadership(jobs, keys.scheduler_lock())
        self._system = system
        self._prefix = prefix
        self._stopping = threading.Event()
        self._sync_at = 0.0
        self._queues: dict[str, Queue] = {}

    # --- the loop ---------------------------------------------------------------------------

    def stop(self) -> None:
        """End `run` after the pass that is under way. May be called from a signal handler."""
        self._stopping.set()

    def run(self, burst: bool = False) -> None:  # noqa: FBT001, FBT002 - rq-scheduler's signature
        """Make passes until `stop`, or one if `burst`; Redis may go away and come back."""
        reachable = True
        while not self._stopping.is_set():
            try:
                pause = self.make_pass()
                if not reachable:
                    _log.info("scheduler.redis_is_back")
                reachable = True
            except StorageUnavailableError as error:
                if reachable:
                    _log.warning("scheduler.redis_is_away", error=error.detail)
                reachable, pause = False, _LONGEST_PAUSE_SECONDS
                # It may come back without what was scheduled.
                self._sync_at = 0.0
            if burst:
                break
            self._stopping.wait(pause)
        try:
            self.remove_lock()
        except StorageUnavailableError as error:
            _log.warning("scheduler.lock_left", error=error.detail)

    def make_pass(self) -> float:
        """Send all that is due if this scheduler leads; the seconds until the next pass."""
        with translated():
            term = self._leadership.term
            if not self.acquire_lock():
                return _STAND_BY_SECONDS
            if self._leadership.term != term:
                _log.info("scheduler.leads")
                # Where the lock was lost, more may have been.
                self._sync_at = 0.0
            if time.monotonic() >= self._sync_at:
                self.sync()
            self.enqueue_jobs()
            return self._seconds_until_next()

    def acquire_lock(self) -> bool:
        """Become or remain the one that works, for three seconds."""
        return self._leadership.claim()

    def remove_lock(self) -> None:
        """Let another scheduler work at once."""
        self._leadership.resign()

    def _now(self) -> float:
        seconds, microseconds = self.connection.time()
        return float(seconds + microseconds / 1_000_000)

    def _seconds_until_next(self) -> float:
        first = self.connection.zrange(self.scheduled_jobs_key, 0, 0, withscores=True)
        if not first:
            return _LONGEST_PAUSE_SECONDS
        return min(_LONGEST_PAUSE_SECONDS, max(0.0, float(first[0][1]) - self._now()))

    # --- the table --------------------------------------------------------------------------

    def sync(self) -> None:
        """Bring the timetable's own entries to the table: add, change and remove what differs."""
        wanted = {entry.name: entry for entry in self._system}
        scheduled = {
            name.decode() for name in self.connection.zrange(self.scheduled_jobs_key, 0, -1)
        }
        for name in scheduled:
            if name.startswith(self._prefix) and name not in wanted:
                self.cancel(name)
                _log.info("scheduler.entry_removed", name=name)
        now = self._now()
        for name, entry in wanted.items():
            pattern = entry.pattern(self.connection)
            stored = self._stored(name)
            if name in scheduled and stored is not None and _does(stored) == _does(pattern):
                continue
            if self._leadership.write(_putting(pattern, self.scheduled_jobs_key, now)):
                _log.info("scheduler.entry_set", name=name, every_seconds=entry.interval_seconds)
        self._sync_at = time.monotonic() + _SYNC_SECONDS

    def _stored(self, name: str) -> Job | None:
        found = self.job_class.fetch_many([name], connection=self.connection)
        return found[0] if found else None

    def cancel(self, job: Job | str) -> None:
        """Take an entry off, and those of its copies that no worker has taken yet."""
        name = job if isinstance(job, str) else job.id
        stored = self._stored(name)
        queue = self._queue_of(stored.origin if stored else self.queue_name)
        remove_entry(self.connection, self.scheduled_jobs_key, queue, name)

    # --- sending ----------------------------------------------------------------------------

    def get_jobs_to_queue(self, with_times: bool = False) -> Iterator[Any]:  # noqa: FBT001, FBT002 - rq-scheduler's signature
        """The entries whose time has come, to the fraction of a second; a portion of them."""
        jobs: Iterator[Any] = self.get_jobs(
            self._now(), with_times=with_times, offset=0, length=_PER_PASS
        )
        return jobs

    def enqueue_job(self, job: Job) -> None:
        """Send a copy of an entry and set its next time in one step, if this scheduler leads.

        An entry without interval comes off the timetable. One whose last copy still waits for a
        worker is only set again.
        """
        interval = job.meta.get("interval")
        queue = self._queue_of(job.origin)
        last = job.meta.get("copy")
        waits = last is not None and queue.get_job_position(last) is not None
        copy = copy_of(job)
        next_time = None if interval is None else self._now() + interval

        def send(pipeline: Any) -> None:  # noqa: ANN401 - redis-py's pipeline
            if not waits:
                queue.enqueue_job(copy, pipeline=pipeline)
            if next_time is None:
                pipeline.zrem(self.scheduled_jobs_key, job.id)
                pipeline.delete(job.key)
            else:
                job.meta["copy"] = last if waits else copy.id
                job.save(pipeline=pipeline)
                pipeline.zadd(self.scheduled_jobs_key, {job.id: next_time})

        self._leadership.write(send)

    def _queue_of(self, name: str) -> Queue:
        """The queue of this name; kept, because each one asks the server for its version once."""
        if name not in self._queues:
            queue = Queue(name, connection=self.connection)
            queue.get_redis_server_version()
            self._queues[name] = queue
        return self._queues[name]


def _does(pattern: Job) -> tuple[object, ...]:
    """What an entry is about: two that agree in this are the same."""
    return pattern.func_name, tuple(pattern.args), pattern.origin, pattern.meta.get("interval")


def _putting(pattern: Job, scheduled_jobs_key: str, at: float) -> Callable[[Any], None]:
    def put(pipeline: Any) -> None:  # noqa: ANN401 - redis-py's pipeline
        pattern.save(pipeline=pipeline)
        pipeline.zadd(scheduled_jobs_key, {pattern.id: at})

    return put
