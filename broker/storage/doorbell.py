"""The doorbell: wakes a routing worker, with one RQ job for many rings.

The job is only a wake-up. Losing one delays its messages until the next sweep, never longer.
"""

from __future__ import annotations

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

_log = structlog.get_logger(__name__)


class Doorbell:
    """Rings for partitions, and is answered by the routing worker."""

    def __init__(self, jobs: Redis, keys: Keys) -> None:
        self._jobs = jobs
        self._keys = {"ringing": keys.ringing(), "routing_job": keys.routing_job()}
        self._queue = Queue(keys.jobs_queue("routing"), connection=jobs.client)
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
                        ROUTING_JOB,
                        job_timeout=_JOB_TIMEOUT_SECONDS,
                        ttl=_JOB_LIFE_SECONDS,
                        result_ttl=0,
                        failure_ttl=_FAILURE_SECONDS,
                    )
        except (StorageUnavailableError, RedisError) as error:
            _log.warning("doorbell.not_rung", error=str(error))

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
