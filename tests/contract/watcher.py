"""A client of the event stream, as a browser's EventSource is one."""

import json
import socket
import time
from typing import Any

from tests.contract.websocket_server import DEADLINE_SECONDS

Event = dict[str, Any]


class Watcher:
    """One connection that reads server-sent events."""

    def __init__(
        self, port: int, query: str = "", *, last_event_id: str | None = None, **headers: str
    ) -> None:
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        self.last_event_id = last_event_id
        self._lines: list[str] = []
        self._buffer = b""
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE_SECONDS)
        said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        # Without HTTP/1.1 there are no chunks to take apart.
        self.socket.sendall(
            f"GET /api/v1/events{query} HTTP/1.0\r\nHost: station\r\n{said}\r\n".encode()
        )
        head = self._until(b"\r\n\r\n").decode()
        self.status = int(head.split(" ", 2)[1])
        self.headers = {
            name.lower(): value
            for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])
        }

    def next(self) -> Event:
        """Return the next event; heartbeats only move the id on."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            assert time.monotonic() < deadline, "nothing but heartbeats came"
            event = self._dispatched(self._until(b"\n\n").decode())
            if event is not None:
                return event

    def until(self, name: str) -> list[Event]:
        """Return the events up to one of this name."""
        found = [self.next()]
        while found[-1]["event"] != name:
            found.append(self.next())
        return found

    def ended(self) -> list[Event]:
        """Read until the server ends the stream; the events that came before."""
        found = []
        try:
            while True:
                found.append(self.next())
        except EOFError:
            return found

    def begun(self) -> "Watcher":
        """Wait until the stream has begun, and so all that happens from now on is told."""
        self._dispatched(self._until(b"\n\n").decode())
        return self

    def close(self) -> None:
        self.socket.close()

    def _dispatched(self, block: str) -> Event | None:
        """Take a block of lines as the standard says: one without data only sets the id."""
        data = None
        for line in block.split("\n"):
            field, _, value = line.partition(": ")
            if field == "id":
                self.last_event_id = value
            if field == "data":
                data = json.loads(value)
        return data

    def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            try:
                read = self.socket.recv(65_536)
            except ConnectionResetError:
                read = b""
            if not read:
                raise EOFError
            self._buffer += read
        block, _, self._buffer = self._buffer.partition(end)
        return block
