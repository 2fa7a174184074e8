"""Noting when keys were last used, at most once a minute each and beside the request's own way."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from broker.kernel.errors import BrokerError
from broker.kernel.ids import KeyId
from broker.security.key_record import ApiKey

EVERY_MS: Final = 60_000
_REMEMBERED: Final = 10_000

_log = structlog.get_logger(__name__)


class KeyUse:
    """Has uses noted by a thread that starts with the first; what it can't write is left out."""

    def __init__(self, write: Callable[[Mapping[KeyId, int]], object]) -> None:
        self._write = write
        self._noted: OrderedDict[KeyId, int] = OrderedDict()
        self._pending: dict[KeyId, int] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, key: ApiKey, now_ms: int) -> None:
        """A key was used; returns at once."""
        with self._lock:
            last = max(self._noted.get(key.id, 0), key.last_used_at or 0)
            if now_ms - last < EVERY_MS:
                return
            self._noted[key.id] = now_ms
            self._noted.move_to_end(key.id)
            if len(self._noted) > _REMEMBERED:
                self._noted.popitem(last=False)
            self._pending[key.id] = now_ms
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="key-use", daemon=True)
                self._thread.start()
        self._wake.set()

    def _work(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                pending, self._pending = self._pending, {}
            try:
                self._write(pending)
            except BrokerError as error:
                _log.warning("key.use_not_noted", keys=len(pending), error=error.detail)
