"""A TCP proxy before a real server that changes what passes, or cuts it, as middle boxes do."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Change = Callable[[bytes], bytes]
_CHUNK = 65536


def unchanged(passing: bytes) -> bytes:
    return passing


class FaultyProxy:
    """Changes what is asked of the port `upstream`, and what is answered."""

    def __init__(self, upstream: int, *, asked: Change, answered: Change) -> None:
        self._upstream = upstream
        self._asked = asked
        self._answered = answered
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Hang up on everybody, and listen no longer."""
        for one in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):  # gone already
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it was cut
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                self._sockets += [client, server]
                self._pass_on(client, server, self._asked)
                self._pass_on(server, client, self._answered)

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket, change: Change) -> None:
        def run() -> None:
            with contextlib.suppress(OSError):  # either side hung up
                while passing := source.recv(_CHUNK):
                    target.sendall(change(passing))
                target.shutdown(socket.SHUT_WR)

        threading.Thread(target=run, daemon=True).start()


@contextmanager
def faulty_proxy(
    upstream: int, *, asked: Change = unchanged, answered: Change = unchanged
) -> Iterator[FaultyProxy]:
    """Give a proxy that changes what passes, and cut it at the end."""
    proxy = FaultyProxy(upstream, asked=asked, answered=answered)
    try:
        yield proxy
    finally:
        proxy.cut()
