"""The socket of one WebSocket client, with the bounds that simple_websocket leaves to others.

simple_websocket writes with `send`, which may write half a frame when the client reads slowly, and
reads as fast as the client writes. Here a frame goes out whole or the connection ends, and reading
pauses while frames wait to be handled.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

_SEND_SECONDS: Final = 20.0
_LINGER_SECONDS: Final = 2.0
_DRAIN_BYTES: Final = 65_536


class Peer:
    """Stands in for the socket that the server handed over; the server still closes that one."""

    def __init__(self, sock: socket.socket, *, send_seconds: float = _SEND_SECONDS) -> None:
        self._sock = sock
        self._sock.settimeout(send_seconds)
        self._writing = threading.Lock()
        self._room = threading.Event()
        self._has_room: Callable[[], bool] = lambda: True

    def read_while(self, has_room: Callable[[], bool]) -> None:
        """Read no further while `has_room` is false; `made_room` says when to ask it again."""
        self._has_room = has_room

    def made_room(self) -> None:
        """Something that was read has been handled."""
        self._room.set()

    def abort(self) -> None:
        """End the connection now: whoever reads or writes it is woken."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._has_room = lambda: True
        self._room.set()

    # --- what simple_websocket calls --------------------------------------------------------

    def send(self, data: bytes) -> int:
        """Write all of `data`. Raises `OSError` when the client does not take it in time."""
        with self._writing:
            try:
                self._sock.sendall(data)
            except OSError:
                # Part of a frame may be out: nothing that follows it could be understood.
                self.abort()
                raise
        return len(data)

    def recv(self, size: int) -> bytes:
        """Read what is there, once there is room for it."""
        while True:
            self._room.clear()
            if self._has_room():
                return self._sock.recv(size)
            self._room.wait()

    def fileno(self) -> int:
        """For the selector that the reader waits in."""
        return self._sock.fileno()

    def close(self) -> None:
        """Say that nothing more comes, and let the client finish (RFC 6455 section 7.1.1).

        Closing while its input is unread would reset the connection, and the client would lose the
        close frame that tells it why.
        """
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            self._sock.settimeout(_LINGER_SECONDS)
            deadline = time.monotonic() + _LINGER_SECONDS
            while time.monotonic() < deadline and self._sock.recv(_DRAIN_BYTES):
                pass

    def release(self, reader: threading.Thread) -> None:
        """Wait for the reader to end, giving the client a moment to answer the close frame."""
        self._has_room = lambda: True
        self._room.set()
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
        reader.join(_LINGER_SECONDS)
        if reader.is_alive():
            self.abort()
            reader.join(_LINGER_SECONDS)
