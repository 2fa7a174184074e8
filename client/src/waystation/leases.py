"""Keeping a lease in the background for as long as the work takes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from waystation.errors import WaystationError

_KEPT_UNTIL: Final = 2 / 3
"""A lease is extended when this much of it is over: there is time for another try."""
_RETRY_SECONDS: Final = 1.0


class Upkeep:
    """Extends a lease a third before its end, again and again, until it is stopped.

    `extend` gives the seconds that the lease lasts from then on, and None if it is over.
    """

    def __init__(self, extend: Callable[[], Awaitable[float | None]]) -> None:
        self._extend = extend
        self._due: asyncio.TimerHandle | None = None
        self._extending: asyncio.Task[None] | None = None

    def begin(self, *, lasts_seconds: float, began_at: float) -> None:
        """Keep a lease that began at this time of the loop."""
        self.stop()
        loop = asyncio.get_running_loop()
        self._due = loop.call_at(began_at + lasts_seconds * _KEPT_UNTIL, self._start)

    def stop(self) -> None:
        """Let the lease be."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._extending is not None:
            if self._extending is not asyncio.current_task():
                self._extending.cancel()
            self._extending = None

    def _start(self) -> None:
        self._due = None
        self._extending = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        lasts_seconds: float | None = _RETRY_SECONDS
        with contextlib.suppress(WaystationError):  # out of reach: again, while that may help
            lasts_seconds = await self._extend()
        if lasts_seconds is not None and self._extending is asyncio.current_task():
            self._extending = None
            self.begin(lasts_seconds=lasts_seconds, began_at=asyncio.get_running_loop().time())
