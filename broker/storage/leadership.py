"""Leadership: one of several processes works, the others stand by to take its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from redis.exceptions import LockNotOwnedError, WatchError

from broker.storage.connection import Redis, translated

Pipeline = Any
"""redis-py's pipeline, inside MULTI."""

LEASE_SECONDS: Final = 3.0


class Leadership:
    """A lock that has an owner, is held for three seconds at a time, and guards what it writes.

    Whoever is killed is replaced once the three seconds are over. Whoever was merely stopped for
    so long finds out at its next write, which then does nothing.
    """

    def __init__(self, redis: Redis, key: str) -> None:
        self._client = redis.client
        self._key = key
        self._lock = redis.client.lock(key, LEASE_SECONDS, blocking=False, thread_local=False)
        self.held = False
        self.term = 0
        """How often it became the leader: a new term begins where the lock was lost between."""

    def claim(self) -> bool:
        """Become the leader, or remain it for another three seconds; whether this process is."""
        with translated():
            if self.held:
                try:
                    self._lock.reacquire()
                except LockNotOwnedError:
                    self.held = False
            if not self.held:
                self.held = bool(self._lock.acquire())
                self.term += self.held
        return self.held

    def resign(self) -> None:
        """Let another process lead at once."""
        if not self.held:
            return
        self.held = False
        with translated():
            try:
                self._lock.release()
            except LockNotOwnedError:
                return  # it was taken over: there is nothing to give back

    def write(self, build: Callable[[Pipeline], None]) -> bool:
        """Carry out what `build` adds to a MULTI, all of it or nothing; False if not the leader."""
        with translated(), self._client.pipeline() as pipeline:
            pipeline.watch(self._key)  # type: ignore[no-untyped-call]
            if not self.held or pipeline.get(self._key) != self._lock.local.token:
                self.held = False
                return False
            pipeline.multi()
            build(pipeline)
            try:
                pipeline.execute()
            except WatchError:
                self.held = False
                return False
        return True
