"""Hearing of new messages: one Redis subscriber a process, shared by all who wait in it."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Protocol

import structlog

from broker.kernel.errors import StorageUnavailableError
from broker.kernel.ids import AgentId, Partition
from broker.storage.keys import Keys

_RECONNECT_SECONDS: Final = 0.5

_log = structlog.get_logger(__name__)


class Listener(Protocol):
    """Who is told of an arrival; it returns at once."""

    def set(self) -> None:
        """Something has arrived, or may have."""


class Arrivals:
    """Wakes whoever waits for an agent's messages.

    A wake-up is a hint: it can be missed while the subscriber reconnects, so waiters look again
    from time to time. The subscriber starts with the first waiter. `subscribe` yields None when the
    subscription stands, then the names it hears.
    """

    def __init__(self, subscribe: Callable[[list[str]], Iterator[str | None]], keys: Keys) -> None:
        self._subscribe = subscribe
        self._keys = keys
        self._lock = threading.Lock()
        self._waiting: dict[str, set[Listener]] = defaultdict(set)
        self._thread: threading.Thread | None = None
        self._subscribed = threading.Event()

    @contextmanager
    def watch(self, agent: AgentId) -> Iterator[threading.Event]:
        """An event that is set when something arrives for `agent` from now on."""
        arrival = threading.Event()
        with self.tell(agent, arrival):
            yield arrival

    @contextmanager
    def tell(self, agent: AgentId, listener: Listener) -> Iterator[None]:
        """Tell a listener of its own making, who waits for other things as well."""
        with self._lock:
            self._waiting[agent].add(listener)
            if self._thread is None:
                self._thread = threading.Thread(target=self._listen, name="arrivals", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._waiting[agent].discard(listener)
                if not self._waiting[agent]:
                    del self._waiting[agent]

    def wake(self, agent: str) -> None:
        """Wake those who wait for `agent`."""
        with self._lock:
            for arrival in self._waiting.get(agent, ()):
                arrival.set()

    def wake_all(self) -> None:
        """Have all who wait look again."""
        with self._lock:
            for waiting in self._waiting.values():
                for arrival in waiting:
                    arrival.set()

    def _listen(self) -> None:
        channels = [
            self._keys.arrivals(Partition(number)) for number in self._keys.all_partitions()
        ]
        pause = threading.Event()
        while True:
            try:
                for agent in self._subscribe(channels):
                    if agent is None:
                        # What came before the subscription stood was not announced to us.
                        self.wake_all()
                    else:
                        self.wake(agent)
            except StorageUnavailableError as error:
                _log.warning("arrivals.subscription_lost", error=error.detail)
            pause.wait(_RECONNECT_SECONDS)
