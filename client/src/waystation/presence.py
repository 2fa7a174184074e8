"""Signs of life, so that an agent that has nothing to do stays online (SPEC R8)."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Final

from waystation.errors import StaleEpochError, WaystationError
from waystation.holding import HttpHolder

HEARTBEAT_SECONDS: Final = 30.0
"""A third of the time after which a station takes a silent agent for stale, by default."""

_log = logging.getLogger(__name__)


class Heartbeat:
    """Tells the station of an agent now and then, in the background."""

    def __init__(
        self,
        holder: HttpHolder,
        *,
        instance_id: str | None,
        every_seconds: float,
        on_superseded: Callable[[StaleEpochError], object],
    ) -> None:
        self._holder = holder
        self._instance_id = instance_id
        self.every_seconds = every_seconds
        self._on_superseded = on_superseded
        self._beating: asyncio.Task[None] | None = None

    def start(self) -> None:
        """The agent has just registered: the first is due later."""
        self._beating = asyncio.get_running_loop().create_task(self._beat())

    def stop(self) -> None:
        """Be silent."""
        if self._beating is not None:
            self._beating.cancel()
            self._beating = None

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.every_seconds * random.uniform(0.8, 1))
            try:
                await self._holder.station.agents.heartbeat(
                    self._holder.agent_id, instance_id=self._instance_id, epoch=self._holder.epoch
                )
            except StaleEpochError as error:
                self._on_superseded(error)
                return
            except WaystationError as error:
                _log.info("A heartbeat of %s did not get through: %s", self._holder.agent_id, error)
