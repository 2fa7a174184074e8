"""What the routes of one application share: the broker, the limits of requests, the way out."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from flask import Flask, current_app

from app.allowances import Allowances
from broker.operations.monitor import Health
from broker.operations.readiness import Readiness
from broker.security.identities import Identities
from broker.security.rate_limits import RateLimits
from broker.wiring import Broker
from config.settings import Settings

_EXTENSION: Final = "waystation"
_AROUND_A_BODY: Final = 64 * 1024
_ESCAPED: Final = 6
"""JSON may write one byte as six: `\\u0041`."""


class AppContext:
    """The broker and what an application needs beside it.

    `stopping` is set when the process is asked to end, so that long polls answer at once.
    """

    def __init__(self, broker: Broker, settings: Settings) -> None:
        self.settings = settings
        self.stopping = threading.Event()
        self.max_batch_bytes = settings.max_request_bytes
        self.max_message_bytes = min(
            settings.max_request_bytes, _ESCAPED * settings.max_body_bytes + _AROUND_A_BODY
        )
        self.allowances = Allowances(broker.rate_limits, settings.caller_rates)
        self._broker = broker
        self._is_prepared = False
        self._ends_at_stop: list[Callable[[], None]] = []

    @property
    def broker(self) -> Broker:
        """The broker, its data brought to this version.

        Redis may be away when the process starts; then calls are refused until it is there.
        Raises `StorageUnavailableError`, `DataVersionError`.
        """
        self.prepare()
        return self._broker

    @property
    def readiness(self) -> Readiness:
        """Whether the station is ready; can be asked while Redis is away."""
        return self._broker.readiness

    @property
    def health(self) -> Health:
        """How the station is; can be asked for before its data was ever prepared."""
        return self._broker.health

    @property
    def rate_limits(self) -> RateLimits:
        """How much callers have asked for; can be asked while Redis is away."""
        return self._broker.rate_limits

    @property
    def identities(self) -> Identities:
        """Who bears a token; can be asked before the data was ever prepared."""
        return self._broker.identity.identities

    def prepare(self) -> None:
        """Bring the data to this version, once. Raises as `broker` does."""
        if not self._is_prepared:
            self._broker.prepare()
            self._is_prepared = True

    def at_stop(self, end: Callable[[], None]) -> None:
        """Have something ended when the process is asked to end."""
        self._ends_at_stop.append(end)

    def stop(self) -> None:
        """Let nothing go on that would not end by itself; long polls answer with what there is."""
        self.stopping.set()
        for end in self._ends_at_stop:
            end()
        self._broker.arrivals.wake_all()
        self._broker.watching.wake_all()

    def attach_to(self, app: Flask) -> None:
        """Make this what the routes of `app` find."""
        app.extensions[_EXTENSION] = self


def context() -> AppContext:
    """The context of the application that serves the current request."""
    found: AppContext = current_app.extensions[_EXTENSION]
    return found


def broker() -> Broker:
    """The broker of the application that serves the current request."""
    return context().broker
