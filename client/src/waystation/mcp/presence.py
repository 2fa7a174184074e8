"""The agent is registered and online as long as the server lives."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from waystation.errors import UnknownAgentError, WaystationError
from waystation.presence import HEARTBEAT_SECONDS
from waystation.resources.agents import Profile
from waystation.station import AsyncStation

_log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0


class Presence:
    """The registration of `agent_id`, and its signs of life."""

    def __init__(self, station: AsyncStation, agent_id: str) -> None:
        self._station = station
        self._agent_id = agent_id
        self._meta: dict[str, Any] = {}
        self._registered = asyncio.Event()
        self._registering = asyncio.Lock()

    async def ensure(self) -> None:
        """Be registered. Raises what keeps it from that."""
        async with self._registering:
            if self._registered.is_set():
                return
            about: Profile = {"transport": "mcp"}
            if self._meta:
                about["meta"] = self._meta
            await self._station.agents.register(self._agent_id, **about)
            self._registered.set()

    async def introduce(self, client: dict[str, Any]) -> None:
        """Say which program the model works in."""
        if self._meta.get("client") == client:
            return
        self._meta = {"client": client}
        self._registered.clear()
        await self.ensure()

    async def stay(self) -> None:
        """Register, again and again until it works, then give signs of life, for ever."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self.ensure()
                await self._station.agents.heartbeat(self._agent_id)
            except UnknownAgentError:
                self._registered.clear()
                pause = _FIRST_PAUSE_SECONDS
            except WaystationError as error:
                _log.warning("%s is not present at the station: %s", self._agent_id, error)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            else:
                pause = HEARTBEAT_SECONDS
            await asyncio.sleep(pause)
