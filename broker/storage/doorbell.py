"""The doorbell of a pool: wakes one of its workers, with one RQ job for many rings.

The job is only a wake-up. Losing one delays its messages until the next sweep, never longer.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import structlog
from redis.exceptions import RedisError
from rq import Queue

from broker.kernel.errors import StorageUnavailableError
from broker.kernel.ids import Partition
from broker.storage.connection import Redis, translated
from broker.storage.keys import Keys
from broker.storage.scripts import Script

ROUTING_JOB: Final = "workers.routing.drain"
DELIVERY_JOB: Final = "workers.delivery.push"

_LUA: Final = Path(__file__).parent / "lua"
# If the job is lost, the next ring after this sends another.
_JOB_MS: Final = 1000
# How long rings count on a drainer that answered. It answers again much sooner, unless it has its
# hands full: then a job goes out for another worker.
_STAY_MS: Final = 50
_JOB_TIMEOUT_SECONDS: Final = 30
# A job that nobody took by then has long been followed by another.
_JOB_LIFE_SECONDS: Final = 10
_FAILURE_SECONDS: Final = 60

# An RQ job costs a dozen trips, a message a fraction of one. So a drainer that has just been busy
# listens for a moment before it leaves: under a steady stream one job serves hundreds of messages.
_QUIET_SECONDS: Final = 0.005
_POLL_SECONDS: Final = 0.001

_log = structlog.get_logger(__name__)


class Doorbell:
    """Rings for partitions, and is answered by a worker of the pool."""

    def __init__(self, jobs: Redis, keys: Keys, *, pool: str, job: str) -> None:
        """`job` is the dotted name of what answers the rings of this pool."""
        self._jobs = jobs
        self._keys = {"ringing": keys.ringing(pool), "doorbell_job": keys.doorbell_job(pool)}
        self._queue = Queue(keys.jobs_queue(pool), connection=jobs.client)
        self._job = job
        self._ring = Script.load(_LUA, "ring")
        self._answer = Script.load(_LUA, "answer")

    def ring(self, partitions: Iterable[Partition], *, token: str = "") -> None:
        """Have these partitions drained soon. Never fails: the sweep rings again.

        A drainer that ends with work left gives its `token`, or it would be counted on still.
        """
        try:
            outcome = self._jobs.call(
                self._ring.bind(
                    keys=self._keys,
                    args={"token": token, "job_ms": _JOB_MS},
                    more_args=sorted(partitions),
                )
            )
            if outcome.values[0]:
                with translated():
                    self._queue.enqueue(
                        self._job,
                        job_timeout=_JOB_TIMEOUT_SECONDS,
                        ttl=_JOB_LIFE_SECONDS,
                        result_ttl=0,
                        failure_ttl=_FAILURE_SECONDS,
                    )
        except (StorageUnavailableError, RedisError) as error:
            _log.warning("doorbell.not_rung", error=str(error))

    def listen(self, token: str) -> list[Partition]:
        """The partitions that ring, waiting a moment for some; none if the caller has left."""
        quiet = time.monotonic() + _QUIET_SECONDS
        while time.monotonic() < quiet:
            if ringing := self.answer(token):
                return ringing
            time.sleep(_POLL_SECONDS)
        return self.leave(token)

    def answer(self, token: str) -> list[Partition]:
        """The partitions that ring; they are the caller's now, and so are rings to come."""
        return self._answered(token, _STAY_MS)

    def leave(self, token: str) -> list[Partition]:
        """Stop listening if nothing rings: only then is the answer empty."""
        return self._answered(token, 0)

    def _answered(self, token: str, stay_ms: int) -> list[Partition]:
        outcome = self._jobs.call(
            self._answer.bind(keys=self._keys, args={"token": token, "stay_ms": stay_ms})
        )
        return sorted(
            Partition(int(number)) for number in outcome.values if isinstance(number, bytes)
        )
