"""A TCP proxy before a real server that changes what passes, as broken middle boxes do."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.process.stations import free_port

Change = Callable[[bytes], bytes]
_CHUNK = 65536


def unchanged(passing: bytes) -> bytes:
    return passing


@contextmanager
def faulty_proxy(
    upstream: int, *, asked: Change = unchanged, answered: Change = unchanged
) -> Iterator[str]:
    """Give the URL of a proxy that changes what is asked of the port `upstream`, and answered."""
    with socket.create_server(("127.0.0.1", free_port())) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):  # the end of the test
                while True:
                    client, _ = listener.accept()
                    server = socket.create_connection(("127.0.0.1", upstream))
                    for source, target, change in (
                        (client, server, asked),
                        (server, client, answered),
                    ):
                        threading.Thread(
                            target=_pass, args=(source, target, change), daemon=True
                        ).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def _pass(source: socket.socket, target: socket.socket, change: Change) -> None:
    with contextlib.suppress(OSError):  # either side hung up
        while passing := source.recv(_CHUNK):
            target.sendall(change(passing))
        target.shutdown(socket.SHUT_WR)
