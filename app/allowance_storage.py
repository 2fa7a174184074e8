"""Flask-Limiter's storage: the station's own allowances.

The storages that come with Flask-Limiter make up to three trips to Redis a request, over clients of
their own. Here a limit takes one, which concurrent requests share, over the client that the station
has anyway, with its Sentinels, its time limits and its errors.
"""

from __future__ import annotations

from typing import Final, NoReturn

from flask import g
from limits.storage import MovingWindowSupport, Storage

from app.context import context
from broker.kernel.clock import MILLISECONDS, system_clock
from broker.security.rate_limits import Balance, Rate

URI: Final = "waystation://"
STRATEGY: Final = "moving-window"


class AllowanceStorage(Storage, MovingWindowSupport):
    """What the moving window of `limits` asks of a storage, and nothing of what the others do."""

    STORAGE_SCHEME = ["waystation"]  # noqa: RUF012 - as the base class declares it

    @property
    def base_exceptions(self) -> tuple[type[Exception], ...]:
        """None: allowances raise nothing when Redis is away."""
        return ()

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Spend of an allowance; how it then stands is kept for the request."""
        balance = context().rate_limits.spend(key, _rate(limit, expiry), amount)
        balances_of_request().append(balance)
        return balance.is_granted

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Since when the window counts, and how much is spent in it."""
        balance = context().rate_limits.look(key, _rate(limit, expiry))
        full_at = (system_clock() + balance.full_in_ms) / MILLISECONDS
        return full_at - expiry, limit - balance.remaining

    def check(self) -> bool:
        """Whether there is anything to fall back from."""
        return True

    def _of_other_strategies(self, *_: object, **__: object) -> NoReturn:
        """What the base class wants for strategies that count by keys; the one above never asks."""
        raise TypeError(f"allowances refill by themselves: use the strategy {STRATEGY}")

    incr = get = get_expiry = reset = clear = _of_other_strategies


def balances_of_request() -> list[Balance]:
    """How the allowances stand that the current request has spent of."""
    found: list[Balance] = g.setdefault("balances", [])
    return found


def _rate(limit: int, expiry: int) -> Rate:
    return Rate(amount=limit, period_ms=expiry * MILLISECONDS)
