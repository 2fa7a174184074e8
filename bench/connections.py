"""A lean HTTP load generator: many keep-alive connections on one loop, one request each at a time.

It shares the machine with what it measures, so it does as little as it can: requests are bytes made
beforehand where possible, and of an answer it reads the status and the length.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

_CHUNK: Final = 262_144
_STALLED_SECONDS: Final = 20.0
# How long before a connection that had nothing to ask is tried again.
_IDLE_SECONDS: Final = 0.002


class Role(Protocol):
    """What one connection asks, and what it makes of the answers."""

    def request(self) -> bytes | None:
        """The next request; None if there is nothing to ask just now."""

    def answered(self, status: int, body: bytes, seconds: float) -> None:
        """Take the answer, and how long it took."""


class LoadError(Exception):
    """The server closed a connection or fell silent, so that nothing was measured."""


class _Connection:
    def __init__(self, port: int, role: Role) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=_STALLED_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.role = role
        self.asked_at = 0.0
        self.is_waiting = False
        self._received = bytearray()
        self._needed = 0
        self._status = 0
        self._body_at = 0

    def ask(self) -> None:
        request = self.role.request()
        if request is not None:
            self.is_waiting = True
            self.asked_at = time.perf_counter()
            self.socket.sendall(request)

    def receive(self) -> bool:
        """Read what has come; whether the answer is complete."""
        part = self.socket.recv(_CHUNK)
        if not part:
            raise LoadError("the server closed a connection")
        received = self._received
        received += part
        if not self._needed:
            end = received.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = bytes(received[:end]).lower()
            self._status = int(head[9:12])
            at = head.find(b"\r\ncontent-length:")
            if at < 0:
                raise LoadError("an answer without Content-Length")
            self._body_at = end + 4
            self._needed = self._body_at + int(head[at + 17 :].split(b"\r\n", 1)[0])
        return len(received) >= self._needed

    def finish(self) -> None:
        seconds = time.perf_counter() - self.asked_at
        body = bytes(self._received[self._body_at : self._needed])
        self._received.clear()
        self._needed = 0
        self.is_waiting = False
        self.role.answered(self._status, body, seconds)


def drive(port: int, roles: Sequence[Role], goes_on: Callable[[], bool]) -> float:
    """Let every role ask on a connection of its own, as long as `goes_on`; the seconds it took.

    Requests under way at the end are still answered. Raises `LoadError`.
    """
    connections = [_Connection(port, role) for role in roles]
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        started = heard = time.perf_counter()
        while _ask(connections, goes_on=goes_on()):
            ready = selector.select(timeout=_IDLE_SECONDS)
            for key, _ in ready:
                if key.data.receive():
                    key.data.finish()
            if ready:
                heard = time.perf_counter()
            elif time.perf_counter() - heard > _STALLED_SECONDS:
                raise LoadError(f"no answer for {_STALLED_SECONDS:g} seconds")
        seconds = time.perf_counter() - started
    for connection in connections:
        connection.socket.close()
    return seconds


def _ask(connections: Sequence[_Connection], *, goes_on: bool) -> bool:
    """Let those ask that are free; whether there is anything left to wait for."""
    if goes_on:
        for connection in connections:
            if not connection.is_waiting:
                connection.ask()
    return goes_on or any(connection.is_waiting for connection in connections)


def post(path: str, body: bytes) -> bytes:
    """A POST of JSON as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(path: str) -> bytes:
    """A GET as it goes over the wire."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
