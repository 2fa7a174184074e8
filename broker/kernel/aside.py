"""Work that nobody need wait for: a thread of its own does it, with what came meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)


class Aside(Generic[Item]):
    """Handles items soon, each once and many at a time, in a thread that starts with the first.

    A process that ends before loses what was not handled. `handle` never fails.
    """

    def __init__(self, name: str, handle: Callable[[Sequence[Item]], object]) -> None:
        self._name = name
        self._handle = handle
        self._waiting: dict[Item, None] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, items: Iterable[Item]) -> None:
        """Have these handled; returns at once."""
        with self._lock:
            self._waiting.update(dict.fromkeys(items))
            # A process that was forked has the items, and no thread.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
                self._thread.start()
        self._wake.set()

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                waiting, self._waiting = self._waiting, {}
            if waiting:
                self._handle(list(waiting))
