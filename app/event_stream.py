"""One watcher's stream of server-sent events (https://html.spec.whatwg.org/#server-sent-events)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Final

import structlog

from app.json_document import encoded
from app.schemas.events import event_view
from app.standing import Standing
from broker.kernel.errors import StorageUnavailableError, UnauthenticatedError
from broker.operations.recent_events import Told
from broker.operations.timeline import Event
from broker.operations.watch import Watch

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {
    "Cache-Control": "no-cache, no-transform",
    "X-Accel-Buffering": "no",  # nginx would keep events until its buffer is full
}
_HEARTBEAT_SECONDS: Final = 15.0
_PROOF_SECONDS: Final = 5.0
_RETRY_MS: Final = 2_000
_SEND_SECONDS: Final = 20.0

_log = structlog.get_logger(__name__)


class EventStream:
    """Tells a watcher what happens until it leaves, loses its access, or the process stops.

    A heartbeat goes out when nothing else did. It carries an id as well: what was passed over since
    the last event need not be looked at again when the watcher comes back.
    """

    def __init__(
        self,
        watch: AbstractContextManager[Watch],
        standing: Standing,
        stop: threading.Event,
    ) -> None:
        """Begin to watch. Raises `StorageUnavailableError`."""
        self._open = ExitStack()
        self._watch = self._open.enter_context(watch)
        self._standing = standing
        self._viewer = standing.viewer
        self._stop = stop
        self._proven_at = self._said_at = time.monotonic()

    def close(self) -> None:
        """Watch no longer."""
        self._open.close()

    def __iter__(self) -> Iterator[bytes]:
        yield f"retry: {_RETRY_MS}\nid: {self._watch.position}\n\n".encode()
        try:
            while not (self._watch.is_over or self._stop.is_set()) and self._is_still_allowed():
                told = self._watch.take(self._idle_seconds(), self._stop)
                if told:
                    self._said_at = time.monotonic()
                    yield b"".join(map(_frame, told))
                elif time.monotonic() - self._said_at >= _HEARTBEAT_SECONDS:
                    self._said_at = time.monotonic()
                    yield f": still here\nid: {self._watch.position}\n\n".encode()
        except StorageUnavailableError as error:
            # It lacks something that only Redis has; it comes back by itself, and goes on there.
            _log.warning("watching.interrupted", error=error.detail)

    def _idle_seconds(self) -> float:
        now = time.monotonic()
        due = min(self._said_at + _HEARTBEAT_SECONDS, self._proven_at + _PROOF_SECONDS)
        return max(0.0, due - now)

    def _is_still_allowed(self) -> bool:
        """Whether the watcher may still see what it saw when it came."""
        if time.monotonic() - self._proven_at < _PROOF_SECONDS:
            return True
        self._proven_at = time.monotonic()
        try:
            self._standing.check()
        except UnauthenticatedError:
            return False
        return self._standing.viewer == self._viewer


def bound_writing(environ: Mapping[str, Any]) -> Callable[[], None]:
    """Give the client so long to take what is written to it; what ends that bound.

    A watcher that does not read would otherwise hold its connection, and what is on its way to it,
    for as long as it likes.
    """
    connection: socket.socket | None = environ.get("gunicorn.socket")
    if connection is None:
        return lambda: None
    before = connection.gettimeout()
    connection.settimeout(_SEND_SECONDS)
    return lambda: connection.settimeout(before)


def _frame(told: Told) -> bytes:
    identifier = f"id: {told.position}\n".encode() if isinstance(told, Event) else b""
    return b"%bdata: %b\n\n" % (identifier, encoded(event_view(told)))
