"""Ringing on behalf of callers who need not wait for it.

A message is accepted once it is on disk; waking the router for it takes two more trips and an RQ
job. One thread makes them for all, and rings that come meanwhile go together. A process that is
killed before it rang leaves its messages to the next sweep, as when a wake-up is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from broker.kernel.ids import Partition

Ring = Callable[[Iterable[Partition]], None]


class BellRinger:
    """Rings soon, in a thread that starts with the first ring."""

    def __init__(self, ring: Ring) -> None:
        """`ring` never fails."""
        self._ring = ring
        self._asked: set[Partition] = set()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def ring(self, partitions: Iterable[Partition]) -> None:
        """Have these partitions rung for; returns at once."""
        with self._lock:
            self._asked.update(partitions)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="bell-ringer", daemon=True)
                self._thread.start()
        self._wake.set()

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                asked, self._asked = self._asked, set()
            if asked:
                self._ring(asked)
