"""Errands: jobs that somebody asks for now and then, each waiting at most once in its queue."""

from __future__ import annotations

from typing import Final

from rq import Queue
from rq.exceptions import DuplicateJobError

from broker.storage.connection import Redis, translated
from broker.storage.keys import Keys

_TIMEOUT_SECONDS: Final = 60
# A queue that nobody serves for so long forgets the errand.
_LIFE_SECONDS: Final = 60
_FAILURE_SECONDS: Final = 60


class Errands:
    """Sends jobs without arguments to worker pools."""

    def __init__(self, jobs: Redis, keys: Keys) -> None:
        self._jobs = jobs
        self._keys = keys

    def send(self, job: str, *, pool: str) -> None:
        """Have a job done soon by a pool; once, however often it is asked for meanwhile.

        Raises `StorageUnavailableError`.
        """
        queue = Queue(self._keys.jobs_queue(pool), connection=self._jobs.client)
        with translated():
            try:
                queue.enqueue(
                    job,
                    job_id=f"{queue.name}-{job.replace('.', '-')}",
                    unique=True,
                    job_timeout=_TIMEOUT_SECONDS,
                    ttl=_LIFE_SECONDS,
                    result_ttl=0,
                    failure_ttl=_FAILURE_SECONDS,
                )
            except DuplicateJobError:
                return
