"""Going on while the station is away: pauses that grow, and a word when it begins and ends."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Final

from waystation.errors import ProblemError, TooManyError, UnavailableError, UnreachableError

PASSES: Final = (UnreachableError, UnavailableError, TooManyError)
"""What another try may find gone."""
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 10.0

_log = logging.getLogger(__name__)


class Patience:
    """What one loop has of it, for as long as the station takes."""

    def __init__(self) -> None:
        self._longest = _FIRST_PAUSE_SECONDS
        self._told = False

    async def pause(self, error: Exception) -> None:
        """Wait before another try; the first time this is logged."""
        if not self._told:
            self._told = True
            _log.warning("Going on trying: %s", error)
        pause = random.uniform(0, self._longest)
        if isinstance(error, ProblemError):
            pause += error.retry_after_seconds or 0
        self._longest = min(self._longest * 2, _LONGEST_PAUSE_SECONDS)
        await asyncio.sleep(pause)

    def renew(self) -> None:
        """The station answers."""
        if self._told:
            _log.info("The station answers again.")
            self._told = False
        self._longest = _FIRST_PAUSE_SECONDS
