"""The open connections of this process."""

from __future__ import annotations

import threading
from typing import Final, Protocol

from app.websocket.endings import REPLACED, STOPPING, Ending
from broker.kernel.ids import AgentId

_END_SECONDS: Final = 2.0


class Connection(Protocol):
    """An open connection; `ended` is set when it neither leases nor gives back any more."""

    ended: threading.Event

    def end(self, ending: Ending) -> None:
        """Let it close; returns at once."""

    def abort(self) -> None:
        """Let it end without a word, whatever it is doing."""


class Connections:
    """Knows which connections are open, so that they can be ended from outside."""

    def __init__(self) -> None:
        self._open: set[Connection] = set()
        self._of_instance: dict[tuple[AgentId, str], Connection] = {}
        self._stopping = False

    def opened(self, connection: Connection) -> None:
        """A connection has begun."""
        self._open.add(connection)
        if self._stopping:
            connection.end(STOPPING)

    def closed(self, connection: Connection) -> None:
        """A connection has ended."""
        self._open.discard(connection)
        self._of_instance = {
            name: other for name, other in self._of_instance.items() if other is not connection
        }

    def take_over(self, agent: AgentId, instance: str, connection: Connection) -> None:
        """Make `connection` the only one of an agent's instance in this process.

        The one that it replaces is usually dead without knowing it. It has ended when this
        returns, so that it leases nothing behind the back of its successor.
        """
        older = self._of_instance.get((agent, instance))
        self._of_instance[agent, instance] = connection
        if older is None or older is connection:
            return
        older.end(REPLACED)
        if not older.ended.wait(_END_SECONDS):
            older.abort()
            older.ended.wait(_END_SECONDS)

    def end_all(self) -> None:
        """End every connection, and those still to come: this process stops.

        Called from a signal handler, so it only marks them and returns.
        """
        self._stopping = True
        for connection in list(self._open):
            connection.end(STOPPING)
