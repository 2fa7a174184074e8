"""A way to a station that can be cut, as networks are, and changes what passes, as proxies do."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Change = Callable[[bytes], bytes]


def unchanged(passing: bytes) -> bytes:
    return passing


class Relay:
    """Passes bytes to a port of loopback and back, for as long as it may."""

    def __init__(
        self, port: int, *, asked: Change = unchanged, answered: Change = unchanged
    ) -> None:
        self._target = port
        self._asked = asked
        self._answered = answered
        self._open = True
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        self.accepted = 0
        self.refused = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        """Drop every connection that there is, in the middle of whatever it carries."""
        with self._lock:
            for one in self._connections:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            self._connections.clear()

    def close(self) -> None:
        """Let nobody through, until `reopen`."""
        self._open = False
        self.cut()

    def reopen(self) -> None:
        """Let callers through again."""
        self._open = True

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            if not self._open:
                caller.close()
                self.refused += 1
                continue
            self.accepted += 1
            station = socket.create_connection(("127.0.0.1", self._target))
            with self._lock:
                self._connections += [caller, station]
            threading.Thread(target=self._pass_on, args=(caller, station), daemon=True).start()

    def _pass_on(self, caller: socket.socket, station: socket.socket) -> None:
        other = {caller: (station, self._asked), station: (caller, self._answered)}
        with caller, station, contextlib.suppress(OSError):
            while True:
                for one in select.select(list(other), [], [])[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    target, change = other[one]
                    target.sendall(change(data))


@contextmanager
def relaying(
    port: int, *, asked: Change = unchanged, answered: Change = unchanged
) -> Iterator[Relay]:
    """Give a way to what listens on this port of loopback."""
    relay = Relay(port, asked=asked, answered=answered)
    try:
        yield relay
    finally:
        relay.stop()
