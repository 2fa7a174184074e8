"""What a pool takes its jobs with: RQ's workers, made to stop, recover and tidy up in time.

RQ's own loop ends when Redis goes away in the middle of a job, waits up to a minute before it tries
again, raises out of a signal handler, and tidies up every ten minutes under a lock that outlives a
killed worker by fifteen. So the loop is ours; taking a job and performing it are RQ's.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any, Final

import structlog
from rq import Queue
from rq.exceptions import DequeueTimeout
from rq.job import Job
from rq.registry import StartedJobRegistry, clean_registries
from rq.worker import BaseWorker, SimpleWorker, Worker
from rq.worker_registration import clean_worker_registry

from broker.kernel.errors import BrokerError
from broker.operations.processes import unique_name
from broker.storage.connection import Client
from config.lifeline import die_with_parent

# One look at the queue; a signal waits for its end, and so does taking up what the dead left.
_LOOK_SECONDS: Final = 1
_TIDY_SECONDS: Final = 30.0
# For how long RQ's own lists show a worker that no longer lives.
_LISTED_SECONDS: Final = 30
_DEFAULT_TIMEOUT_SECONDS: Final = 180
_TIMEOUT_MARGIN_SECONDS: Final = 5
# A worker and its horse that were killed together are noticed after this: the five seconds in which
# the station recovers, less one look.
_HORSE_LIFE_SECONDS: Final = 4
_HORSE_CHECK_SECONDS: Final = 1

_log = structlog.get_logger(__name__)


class PoolWorker(BaseWorker):
    """The loop that both kinds share.

    It has one queue: with several, RQ takes a job off its list before anything else knows of it.
    """

    log_result_lifespan = False

    def __init__(self, queue: str, *, connection: Client) -> None:
        super().__init__(
            [queue],
            name=unique_name(),
            connection=connection,
            job_monitoring_interval=_HORSE_CHECK_SECONDS,
            log_job_description=False,
        )
        self._looked_after_at = float("-inf")
        self._tidied_at = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Take jobs until `stop` is set, and finish the one at hand.

        Raises what redis-py raises when Redis goes away; make another worker then.
        """
        self.register_birth()  # type: ignore[no-untyped-call]
        try:
            while not stop.is_set():
                self._look_after_queue()
                self._work_once()
        finally:
            self.register_death()  # type: ignore[no-untyped-call]

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:  # noqa: ANN401 - RQ's signature
        """Be listed for a short while only."""
        super().heartbeat(max(timeout or 0, _LISTED_SECONDS), pipeline)

    def handle_exception(
        self,
        job: Job,
        *exc_info: type[BaseException] | BaseException | TracebackType | None,
    ) -> None:
        """A passing trouble, such as a Redis that is away, is worth a line and no traceback."""
        error = exc_info[1]
        if isinstance(error, BrokerError) and not error.permanent:
            _log.warning("job.postponed", job=job.func_name, error=error.detail)
        else:
            super().handle_exception(job, *exc_info)

    def _work_once(self) -> None:
        try:
            found = Queue.dequeue_any(self.queues, _LOOK_SECONDS, connection=self.connection)
        except DequeueTimeout:
            return
        if found is not None:
            job, queue = found
            version = self.get_redis_server_version()  # type: ignore[no-untyped-call]
            job.redis_server_version = version
            self.execute_job(job, queue)

    def _look_after_queue(self) -> None:
        """Take up what killed workers left, once a second; clear away their traces now and then."""
        now = time.monotonic()
        if now - self._looked_after_at < _LOOK_SECONDS:
            return
        self._looked_after_at = now
        self.heartbeat()
        (queue,) = self.queues
        StartedJobRegistry(queue=queue).cleanup()
        if now - self._tidied_at >= _TIDY_SECONDS:
            self._tidied_at = now
            clean_registries(queue)
            clean_worker_registry(queue)
            queue.intermediate_queue.cleanup(self, queue)


class SimplePoolWorker(PoolWorker, SimpleWorker):
    """Performs jobs in its own process: short ones, safe to run twice, many a second."""

    def get_heartbeat_ttl(self, job: Job) -> int:
        """It can't say that it lives while it performs a job, so a job may take all its time."""
        return int(job.timeout or _DEFAULT_TIMEOUT_SECONDS) + _TIMEOUT_MARGIN_SECONDS


class ForkingPoolWorker(PoolWorker, Worker):
    """Performs each job in a process of its own, RQ's "work horse", and watches over it."""

    def get_heartbeat_ttl(self, job: Job) -> int:  # noqa: ARG002 - RQ's signature
        """The job counts as abandoned after this; it is renewed every second."""
        return _HORSE_LIFE_SECONDS

    def main_work_horse(self, job: Job, queue: Queue) -> None:
        """Become the horse: one that outlived its worker would run beside its own repetition."""
        if self.pid is not None:
            die_with_parent(parent_pid=self.pid)
        super().main_work_horse(job, queue)
