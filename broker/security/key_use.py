"""Noting when keys were last used, at most once a minute each and beside the request's own way."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from broker.kernel.aside import Aside
from broker.kernel.errors import BrokerError
from broker.kernel.ids import KeyId
from broker.security.key_record import ApiKey

EVERY_MS: Final = 60_000
_REMEMBERED: Final = 10_000

_log = structlog.get_logger(__name__)


class KeyUse:
    """Has uses noted beside the request; what can't be written is left out."""

    def __init__(self, write: Callable[[Mapping[KeyId, int]], object]) -> None:
        self._write = write
        self._noted: OrderedDict[KeyId, int] = OrderedDict()
        self._lock = threading.Lock()
        self._uses: Aside[tuple[KeyId, int]] = Aside("key-use", self._keep)

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
        self._uses.add([(key.id, now_ms)])

    def _keep(self, uses: Sequence[tuple[KeyId, int]]) -> None:
        try:
            self._write(dict(uses))
        except BrokerError as error:
            _log.warning("key.use_not_noted", keys=len(uses), error=error.detail)
