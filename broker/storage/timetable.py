"""The timetable: what rq-scheduler drives, each entry an RQ job to send when its time comes.

An entry is a name in a sorted set of times, and the RQ job of that name, which says what to send;
what is sent are copies of it with names of their own. The scheduler process reads it; anybody may
write it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from rq import Queue
from rq.job import Job, JobStatus

from broker.kernel.clock import MILLISECONDS
from broker.kernel.errors import StorageUnavailableError
from broker.storage.connection import Client, Redis, translated
from broker.storage.keys import Keys

RECURRING_JOB: Final = "workers.retry.fire_recurring"

_TIMEOUT_SECONDS: Final = 60
_COPY_BYTES: Final = 4
# A copy that nobody takes for so long is dropped: another one follows, and none is left behind.
_COPY_TTL_SECONDS: Final = 60

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A job to send once, or every so many seconds; `queue` is the name of an RQ queue."""

    name: str
    job: str
    queue: str
    arguments: tuple[str, ...] = ()
    interval_seconds: float | None = None

    def pattern(self, client: Client) -> Job:
        """The RQ job that stands for this entry; it is never itself put into a queue."""
        return Job.create(
            self.job,
            args=self.arguments,
            connection=client,
            id=self.name,
            origin=self.queue,
            status=JobStatus.SCHEDULED,
            meta={"interval": self.interval_seconds},
        )


def copy_of(pattern: Job) -> Job:
    """A new job that does what `pattern` says and leaves nothing behind in Redis."""
    return Job.create(
        str(pattern.func_name),
        args=pattern.args,
        connection=pattern.connection,
        id=f"{pattern.id}-{secrets.token_hex(_COPY_BYTES)}",
        origin=pattern.origin,
        timeout=_TIMEOUT_SECONDS,
        ttl=_COPY_TTL_SECONDS,
        result_ttl=0,
        failure_ttl=_COPY_TTL_SECONDS,
    )


def _is_copy(job: str, name: str) -> bool:
    return job[: -2 * _COPY_BYTES] == f"{name}-"


class Timetable:
    """Sets and takes back entries for recurring messages.

    Never fails: where Redis is away, the sweep over what is due makes up for the entry.
    """

    def __init__(self, jobs: Redis, keys: Keys) -> None:
        self._client = jobs.client
        self._scheduled = keys.scheduled_jobs()
        self._queue = Queue(keys.jobs_queue("retry"), connection=jobs.client)

    def arm(self, times: Mapping[str, int]) -> None:
        """Have each of these recurring messages fired at its time in ms."""
        if not times:
            return
        try:
            with translated(), self._client.pipeline() as pipeline:
                for name, at_ms in times.items():
                    entry = Entry(
                        name=name, job=RECURRING_JOB, queue=self._queue.name, arguments=(name,)
                    )
                    entry.pattern(self._client).save(pipeline=pipeline)
                    pipeline.zadd(self._scheduled, {name: at_ms / MILLISECONDS})
                pipeline.execute()
        except StorageUnavailableError as error:
            _log.warning("timetable.not_armed", names=len(times), error=error.detail)

    def disarm(self, name: str) -> None:
        """Forget a recurring message's entry, and take its copies out of the queue."""
        try:
            with translated():
                remove_entry(self._client, self._scheduled, self._queue, name)
        except StorageUnavailableError as error:
            _log.warning("timetable.not_disarmed", name=name, error=error.detail)


def remove_entry(client: Client, scheduled: str, queue: Queue, name: str) -> None:
    """Remove an entry and those of its copies that no worker has taken yet."""
    copies = [job for job in queue.get_job_ids() if _is_copy(job, name)]
    with client.pipeline() as pipeline:
        pipeline.zrem(scheduled, name)
        pipeline.delete(Job.key_for(name))
        for copy in copies:
            queue.remove(copy, pipeline=pipeline)
            pipeline.delete(Job.key_for(copy))
        pipeline.execute()
