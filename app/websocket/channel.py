"""Frames in and out of one connection."""

from __future__ import annotations

import threading
from typing import Final, Protocol

from simple_websocket import ConnectionClosed

from app.websocket.peer import Peer

_WAITING_FRAMES: Final = 64
_WAITING_CHARACTERS: Final = 1_048_576


class Socket(Protocol):
    """What is used of `simple_websocket.Server`, which publishes no types."""

    sock: Peer
    event: threading.Event
    thread: threading.Thread
    input_buffer: list[str | bytes]
    connected: bool
    close_reason: int

    def send(self, data: str) -> None:
        """Send a text frame."""

    def close(self, reason: int, message: str) -> None:
        """Send the close frame."""


class Channel:
    """A connection whose owner waits for frames and for other things alike.

    `changed` is set when a frame arrived or the connection ended; others may set it as well.
    `frames` and `send` raise `ConnectionClosed` once the connection is gone.
    """

    def __init__(self, ws: Socket) -> None:
        self._ws = ws
        self.changed = ws.event
        ws.sock.read_while(self._has_room)

    def frames(self) -> list[str | bytes]:
        """The frames that wait, oldest first; none is left behind by a client that has gone.

        `changed` is cleared before they are taken, so that what comes later sets it again. They
        are taken from simple_websocket's buffer: its `receive` can't tell an empty one from an end.
        """
        self.changed.clear()
        waiting = self._ws.input_buffer
        taken = waiting[:_WAITING_FRAMES]
        del waiting[:_WAITING_FRAMES]
        if not taken and not self._ws.connected:
            raise ConnectionClosed(self._ws.close_reason, None)
        if waiting:
            self.changed.set()
        self._ws.sock.made_room()
        return taken

    def last_frames(self) -> list[str | bytes]:
        """The frames that had come when the connection ended."""
        left, self._ws.input_buffer = self._ws.input_buffer, []
        return left

    def send(self, text: str) -> None:
        """Send a frame; it blocks while the client reads slowly."""
        try:
            self._ws.send(text)
        except OSError as error:
            raise ConnectionClosed from error

    def close(self, code: int, reason: str) -> None:
        """Send the close frame, if the connection still takes it."""
        try:
            self._ws.close(code, reason)
        except (OSError, ConnectionClosed):
            self._ws.sock.abort()

    def abort(self) -> None:
        """End the connection without a word."""
        self._ws.sock.abort()

    def release(self) -> None:
        """Leave nothing of the connection running; the last call."""
        self._ws.sock.release(self._ws.thread)

    @property
    def close_code(self) -> int:
        """The code that the client closed with."""
        return int(self._ws.close_reason)

    def _has_room(self) -> bool:
        waiting = self._ws.input_buffer
        return (
            len(waiting) < _WAITING_FRAMES
            and sum(len(frame) for frame in waiting) < _WAITING_CHARACTERS
        )
