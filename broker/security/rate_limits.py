"""How much a caller may ask for in a time: one allowance a caller, shared by all processes (Z3)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from broker.kernel.errors import StorageUnavailableError
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Script, whole

_LUA: Final = Path(__file__).parent / "lua"
_AWAY_SECONDS: Final = 1.0
_AWAY_FOR_EACH_SECOND_WAITED: Final = 5.0
_WHATEVER_IS_OWED: Final = -1_000_000_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """So much at once, and as much again in each period, evenly."""

    amount: int
    period_ms: int


@dataclass(frozen=True, kw_only=True)
class Balance:
    """How an allowance stands: what is left, in how many ms it is full, and when one is left."""

    is_granted: bool
    rate: Rate
    remaining: int
    full_in_ms: int
    one_in_ms: int


class RateLimits:
    """Keeps allowances on the jobs server, which is never a cluster.

    While that server is away nobody is refused: whoever asks for something that needs Redis is told
    so by what it asks for. It is tried again after a second, or longer where it let callers wait.
    """

    def __init__(
        self, redis: Redis, keys: Keys, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._monotonic = monotonic
        self._away_until = 0.0
        self._script = Script.load(_LUA, "spend")

    def spend(self, who: str, rate: Rate, cost: int = 1) -> Balance:
        """Spend of a caller's allowance if one is left; what costs more is owed."""
        return self._spend(who, rate, cost, needed=1)

    def owe(self, who: str, rate: Rate, cost: int) -> Balance:
        """Spend what nobody can refuse any more: what turned out to cost more than was asked."""
        return self._spend(who, rate, cost, needed=_WHATEVER_IS_OWED)

    def look(self, who: str, rate: Rate) -> Balance:
        """How a caller's allowance stands."""
        return self._spend(who, rate, 0, needed=_WHATEVER_IS_OWED)

    def _spend(self, who: str, rate: Rate, cost: int, *, needed: int) -> Balance:
        now = self._monotonic()
        if now < self._away_until:
            return _unknown(rate)
        call = self._script.bind(
            keys={"allowance": self._keys.allowance(who, f"{rate.amount}/{rate.period_ms}")},
            args={
                "amount": rate.amount,
                "period_ms": rate.period_ms,
                "cost": cost,
                "needed": needed,
            },
        )
        try:
            outcome = self._redis.call(call)
        except StorageUnavailableError as error:
            waited = self._monotonic() - now
            self._away_until = self._monotonic() + max(
                _AWAY_SECONDS, waited * _AWAY_FOR_EACH_SECOND_WAITED
            )
            _log.warning("rate_limits.not_kept", error=error.detail)
            return _unknown(rate)
        remaining, full_in_ms, one_in_ms = map(whole, outcome.values)
        return Balance(
            is_granted=outcome.name == "granted",
            rate=rate,
            remaining=remaining,
            full_in_ms=full_in_ms,
            one_in_ms=one_in_ms,
        )


def _unknown(rate: Rate) -> Balance:
    """As if nothing had been spent."""
    return Balance(is_granted=True, rate=rate, remaining=rate.amount, full_in_ms=0, one_in_ms=0)
