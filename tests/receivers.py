"""Endpoints of webhooks: real HTTP servers that remember what they were sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

from tests.waiting import until


@dataclass(frozen=True, kw_only=True)
class Received:
    """A request; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def is_signed_with(self, secret: str) -> bool:
        """Ask the public library, as a receiver does."""
        verified = Webhook(secret).verify(self.body, self.headers)
        return bool(verified == self.message)


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What an endpoint answers."""

    status: int = 204
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Behaviour = Callable[[Received], Reply]


class _Server(ThreadingHTTPServer):
    """A server that says nothing of callers who hang up."""

    def handle_error(self, *_: object) -> None:
        """Callers are killed, and give up: that is what is tested."""


class Receiver:
    """An endpoint; what it answers may change at any time."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.behaviour: Behaviour = lambda _: Reply()
        self._server = _Server(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def answers(self, status: int, body: bytes = b"", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.behaviour = lambda _: Reply(status=status, headers=named, body=body)

    def wait_for(self, count: int, *, within: float = 10) -> list[Received]:
        until(
            lambda: len(self.requests) >= count, within=within, what=f"{count} requests have come"
        )
        return list(self.requests)

    def ids(self) -> list[str]:
        return [one.id for one in self.requests]

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                receiver.connections += 1

            def do_POST(self) -> None:
                received = Received(
                    path=self.path,
                    headers={name.lower(): value for name, value in self.headers.items()},
                    body=self.rfile.read(int(self.headers["Content-Length"])),
                )
                receiver.requests.append(received)
                reply = receiver.behaviour(received)
                try:
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(reply.body)))
                    self.end_headers()
                    self.wfile.write(reply.body)
                except ConnectionError:
                    self.close_connection = True  # its caller gave up

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Give an endpoint on loopback that answers 204."""
    receiver = Receiver()
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()
