"""The desk that the model works at: messages come onto it, are held, and leave it finished."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from waystation.answers import Delivered
from waystation.configuration import Configuration
from waystation.errors import (
    ConfigurationError,
    UnavailableError,
    UnreachableError,
    WaystationError,
)
from waystation.mcp.holdings import Holdings
from waystation.mcp.mailbox import Held, Mailbox
from waystation.mcp.presence import Presence
from waystation.station import AsyncStation
from waystation.transport import Retrying

_log = logging.getLogger(__name__)

POLL_SECONDS: Final = 5
"""How long one request waits at the station: whoever waits longer hears that nothing has come."""

_RETRY_SECONDS: Final = 5
_CLOSE_SECONDS: Final = 3
_PAUSE_SECONDS: Final = 1

Beat = Callable[[float], Awaitable[None]]
"""Told, now and then, for how many seconds nothing has come."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the server treats what the model holds."""

    lease_seconds: float = 30
    """How long after the death of this process others wait for what it held."""
    hold_seconds: float = 1800
    """For how long the model may hold a message without finishing it."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which messages, and how many."""

    limit: int = 5
    kinds: Sequence[str] = ()
    min_priority: str | None = None


class Desk:
    """One agent's place at a station; `open` it before use."""

    def __init__(self, configuration: Configuration, options: Options | None = None) -> None:
        if configuration.agent is None:
            raise ConfigurationError(
                "No agent is named: give --agent, set WAYSTATION_AGENT, or name it in a profile."
            )
        options = options or Options()
        self.agent_id = configuration.agent
        self.station = AsyncStation(
            configuration=configuration, retrying=Retrying(seconds=_RETRY_SECONDS)
        )
        self.mailbox = Mailbox(self.station, self.agent_id, lease_seconds=options.lease_seconds)
        self.holdings = Holdings(self.mailbox, hold_seconds=options.hold_seconds)
        self.presence = Presence(self.station, self.agent_id)
        self.told: set[str] = set()
        """Answers that the model has read while it waited for them."""
        self._left_alone: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Desk]:
        """Be present, and hold what is held; in the end everything unfinished is given back."""
        staying = asyncio.create_task(self.presence.stay())
        try:
            yield self
        finally:
            staying.cancel()
            await self.close()

    async def close(self) -> None:
        """Give back what is held, and end the connections."""
        # Whoever ends this program doesn't wait for long; a lease that is left ends by itself.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.holdings.give_back_all()
        for task in self._left_alone:
            task.cancel()
        await self.station.close()

    async def wait(
        self, wanted: Wanted, *, max_seconds: float, beat: Beat | None = None
    ) -> list[Held]:
        """Take what waits, else the first that comes within `max_seconds`; from then on it is held.

        Whoever is cancelled meanwhile takes nothing: what comes then is given back.
        """
        began = time.monotonic()
        while True:
            left = max_seconds - (time.monotonic() - began)
            try:
                taken = await self._attempt(wanted, wait_seconds=min(POLL_SECONDS, max(0.0, left)))
            except (UnreachableError, UnavailableError):
                # A station that restarts is no reason to wake a model.
                if left <= _PAUSE_SECONDS:
                    raise
                taken = []
                await asyncio.sleep(_PAUSE_SECONDS)
            self.holdings.add(taken)
            passed = time.monotonic() - began
            if taken or passed >= max_seconds:
                return taken
            if beat is not None:
                await beat(passed)

    async def _attempt(self, wanted: Wanted, *, wait_seconds: float) -> list[Held]:
        await self.presence.ensure()
        taking = asyncio.ensure_future(self._take(wanted, wait_seconds=wait_seconds))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            self._leave_alone(taking)
            raise

    async def _take(self, wanted: Wanted, *, wait_seconds: float) -> list[Held]:
        fetched = await self.mailbox.fetch(
            limit=wanted.limit,
            wait_seconds=wait_seconds,
            kinds=wanted.kinds,
            min_priority=wanted.min_priority,
        )
        taken = await asyncio.gather(*(self._hold(one) for one in fetched))
        return [held for held in taken if held is not None]

    async def _hold(self, message: Delivered) -> Held | None:
        try:
            held = await self.mailbox.take(message)
            if held is None or held.id not in self.told:
                return held
            await self.mailbox.ack([held])
            self.told.discard(held.id)
        except WaystationError as error:
            _log.warning("%s could not be taken, and comes again: %s", message.id, error)
        return None

    async def look(self, *, limit: int) -> list[Delivered]:
        """What waits, without taking it."""
        await self.presence.ensure()
        waiting = await self.mailbox.peek(limit=limit)
        return [one for one in waiting if one.id not in self.told]

    async def claim(self, message_id: str) -> Held:
        """Take a message that several are offered. Raises `ClaimHeldError`, `ClaimDoneError`."""
        await self.presence.ensure()
        held = await self.mailbox.claim(message_id)
        self.holdings.add([held])
        return held

    def _leave_alone(self, taking: asyncio.Future[list[Held]]) -> None:
        async def give_back() -> None:
            with contextlib.suppress(WaystationError):  # nothing was taken
                await self.holdings.give_back(await taking)

        task = asyncio.create_task(give_back())
        self._left_alone.add(task)
        task.add_done_callback(self._left_alone.discard)
