"""The right to push to an agent: one pusher at a time, whoever it is, for as long as it lives."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from broker.delivery.store import HOLD_MS
from broker.kernel.clock import MILLISECONDS
from broker.kernel.errors import StorageUnavailableError
from broker.kernel.ids import AgentId

# Three times within the life of a hold.
_RENEW_SECONDS: Final = HOLD_MS / MILLISECONDS / 3

_log = structlog.get_logger(__name__)

Renew = Callable[[Mapping[AgentId, str]], set[AgentId]]
"""Renews the holds on agents, each with its token; gives those that are lost."""


class Hold:
    """The right to push to one agent, as far as this process knows.

    `succeeded_at` (ms) is for whoever pushes to leave word of the last success.
    """

    def __init__(self, agent: AgentId) -> None:
        self.agent = agent
        self.token = secrets.token_hex(8)
        self.succeeded_at: int | None = None
        self._was_taken = False
        self._good_until = 0.0

    @property
    def is_lost(self) -> bool:
        """Whether another may push now, or nobody should."""
        return self._was_taken or time.monotonic() > self._good_until

    def renewed(self, asked_at: float) -> None:
        """Note that it was given, when asked for at this monotonic moment."""
        self._good_until = asked_at + HOLD_MS / MILLISECONDS

    def lose(self) -> None:
        """Push no more."""
        self._was_taken = True


class HoldKeeper:
    """Renews the holds of this process while pushes wait for answers; one thread for all."""

    def __init__(self, renew: Renew) -> None:
        self._renew = renew
        self._holds: dict[AgentId, Hold] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def keep(self, hold: Hold) -> None:
        """Renew this hold from now on."""
        with self._lock:
            self._holds[hold.agent] = hold
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="hold-keeper", daemon=True)
                self._thread.start()

    def drop(self, hold: Hold) -> None:
        """Renew it no longer."""
        with self._lock:
            self._holds.pop(hold.agent, None)

    def lose_all(self) -> None:
        """Let every push end after the request at hand."""
        with self._lock:
            for hold in self._holds.values():
                hold.lose()

    def end(self) -> None:
        """Renew nothing any more."""
        self._ended.set()

    def _work(self) -> None:
        while not self._ended.wait(_RENEW_SECONDS):
            with self._lock:
                holds = dict(self._holds)
            if holds:
                self._renew_all(holds)

    def _renew_all(self, holds: Mapping[AgentId, Hold]) -> None:
        asked_at = time.monotonic()
        try:
            lost = self._renew({agent: hold.token for agent, hold in holds.items()})
        except StorageUnavailableError as error:
            # They are lost in time, if it lasts.
            _log.warning("push.holds_not_renewed", holds=len(holds), error=error.detail)
            return
        for agent, hold in holds.items():
            if agent in lost:
                hold.lose()
            else:
                hold.renewed(asked_at)
