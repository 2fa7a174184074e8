"""Many agents on WebSockets, in a process of its own: `python -m bench.crowd`, task on stdin.

It says `ready` when all are connected, receives and acknowledges until its stdin ends, and then
says how long messages were on their way.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time
from typing import Final

import msgspec

from bench.connections import LoadError
from bench.statistics import spread

_CHUNK: Final = 65_536
_CONNECTED_WITHIN_SECONDS: Final = 20.0
_SHORT, _LONG = 126, 127
_TEXT: Final = 1


class Crowd(msgspec.Struct, frozen=True, kw_only=True):
    """Who connects."""

    port: int
    agents: tuple[str, ...]


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """What came, and the ms from the sender's request to the recipient."""

    messages: int
    way_p50_ms: float
    way_p99_ms: float


class _Lease(msgspec.Struct):
    token: str


class _Message(msgspec.Struct):
    id: str
    body: str
    lease: _Lease


class _Frame(msgspec.Struct):
    type: str
    message: _Message | None = None


_frames = msgspec.json.Decoder(_Frame)


class _Agent:
    """One connection; it knows as much of RFC 6455 as the station's frames need."""

    def __init__(self, port: int, name: str) -> None:
        self.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=_CONNECTED_WITHIN_SECONDS
        )
        self._buffer = bytearray()
        self.socket.sendall(
            f"GET /ws/{name} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        while (end := self._buffer.find(b"\r\n\r\n")) < 0:
            self._read()
        if not self._buffer.startswith(b"HTTP/1.1 101"):
            raise LoadError(f"a WebSocket was answered {bytes(self._buffer[:80])!r}")
        del self._buffer[: end + 4]

    def receive(self) -> list[float]:
        """Acknowledge what has come; the seconds that each message was on its way."""
        self._read()
        ways = []
        while (payload := self._next_payload()) is not None:
            message = _frames.decode(payload).message if payload else None
            if message is not None:
                ways.append(time.perf_counter() - float(message.body[:20]))
                self._send(
                    f'{{"type":"ack","id":"{message.id}","lease_token":"{message.lease.token}"}}'
                )
        return ways

    def _read(self) -> None:
        part = self.socket.recv(_CHUNK)
        if not part:
            raise LoadError("the station closed a WebSocket")
        self._buffer += part

    def _next_payload(self) -> bytes | None:
        """The payload of the next whole frame, empty if it is no text; None if none is whole."""
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1], 2
        if length == _SHORT:
            length, start = int.from_bytes(buffer[2:4]), 4
        elif length == _LONG:
            length, start = int.from_bytes(buffer[2:10]), 10
        if len(buffer) < start + length:
            return None
        payload = bytes(buffer[start : start + length]) if buffer[0] & 15 == _TEXT else b""
        del buffer[: start + length]
        return payload

    def _send(self, text: str) -> None:
        payload = text.encode()
        # A client masks its frames; with a mask of zeros it need not touch a byte.
        length = bytes([0x80 | len(payload)])
        if len(payload) >= _SHORT:
            length = bytes([0x80 | _SHORT]) + len(payload).to_bytes(2)
        self.socket.sendall(b"\x81" + length + bytes(4) + payload)


def main() -> None:
    """Connect, receive, and tell."""
    task = msgspec.json.decode(sys.stdin.buffer.readline(), type=Crowd)
    ways: list[float] = []
    with selectors.DefaultSelector() as selector:
        for name in task.agents:
            agent = _Agent(task.port, name)
            selector.register(agent.socket, selectors.EVENT_READ, agent)
        selector.register(sys.stdin.buffer, selectors.EVENT_READ, None)
        print("ready", flush=True)
        ended = False
        while not ended:
            for key, _ in selector.select():
                if key.data is None:
                    ended = True
                else:
                    ways += [seconds * 1000 for seconds in key.data.receive()]
    found = spread(ways or [0.0])
    received = Received(messages=len(ways), way_p50_ms=found.p50, way_p99_ms=found.p99)
    sys.stdout.buffer.write(msgspec.json.encode(received))


if __name__ == "__main__":
    main()
