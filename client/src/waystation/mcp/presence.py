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
        self._client: dict[str, str] | None = None
        self._said: tuple[dict[str, str] | None] | None = None
        """With which client it is registered; None where it is not."""
        self._registering = asyncio.Lock()

    async def ensure(self) -> None:
        """Be registered. Raises what keeps it from that."""
        async with self._registering:
            client = self._client
            if self._said == (client,):
                return
            about: Profile = {"transport": "mcp"}
            if client:
                about["meta"] = await self._meta() | {"client": client}
            await self._station.agents.register(self._agent_id, **about)
            self._said = (client,)

    async def _meta(self) -> dict[str, Any]:
        """What is known already: to say one thing more must not strike the rest."""
        try:
            return (await self._station.agents.get(self._agent_id)).meta
        except UnknownAgentError:
            return {}

    def introduce(self, name: str, version: str) -> None:
        """Say in which program the model works; of several clients the first counts."""
        if self._client is None:
            self._client = {"name": name, "version": version}

    async def stay(self) -> None:
        """Register, again and again until it works, then give signs of life, for ever."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self.ensure()
                await self._station.agents.heartbeat(self._agent_id)
            except UnknownAgentError:
                self._said = None
                pause = _FIRST_PAUSE_SECONDS
            except WaystationError as error:
                _log.warning("%s is not present at the station: %s", self._agent_id, error)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
            else:
                pause = HEARTBEAT_SECONDS
            await asyncio.sleep(pause)
