"""Asks the station how it is, and listens to what happens meanwhile."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from waystation.answers import AgentProfile, Event
from waystation.cli.live.snapshot import Snapshot, agent_lines
from waystation.errors import NotReadyError, UnavailableError, UnreachableError, WaystationError
from waystation.station import AsyncStation

_EVENTS: Final = 100
_AGENTS: Final = 1000
_AGENTS_EVERY: Final = 5
"""The directory is asked for at every so-manieth look: it changes slowly, and may be long."""


class Gathering:
    """The latest of a station, look by look."""

    def __init__(self, station: AsyncStation, watched: AsyncStation) -> None:
        """`watched` is the same station, over which events are waited for however long it takes."""
        self._station = station
        self._watched = watched
        self._events: deque[Event] = deque(maxlen=_EVENTS)
        self._profiles: Sequence[AgentProfile] = ()
        self._looks = 0
        self._latest: Snapshot | None = None

    async def look(self) -> Snapshot:
        """How the station is; one that is away is shown as it was.

        Raises `WaystationError` where the first look fails, or the caller may not look.
        """
        try:
            self._latest = await self._look()
        except (UnreachableError, UnavailableError) as error:
            if self._latest is None:
                raise
            return replace(
                self._latest, at=datetime.now(UTC), events=tuple(self._events), away=str(error)
            )
        self._looks += 1
        return self._latest

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Keep the last events meanwhile."""
        task = asyncio.create_task(self._listen())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _look(self) -> Snapshot:
        stats = await self._station.health.stats(inboxes=_AGENTS)
        if self._looks % _AGENTS_EVERY == 0:
            self._profiles = (await self._station.agents.list(limit=_AGENTS)).agents
        return Snapshot(
            at=datetime.now(UTC),
            url=self._station.configuration.url,
            stats=stats,
            agents=agent_lines(self._profiles, stats.depth.deepest),
            not_ready=await self._not_ready(),
            events=tuple(self._events),
        )

    async def _not_ready(self) -> str | None:
        try:
            await self._station.health.ready()
        except NotReadyError as error:
            return ", ".join(field.field for field in error.fields) or str(error)
        return None

    async def _listen(self) -> None:
        with suppress(WaystationError):  # who may not watch still sees the rest
            async for event in self._watched.events.watch():
                self._events.append(event)
