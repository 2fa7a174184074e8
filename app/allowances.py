"""What known callers may spend, counted alike for requests, frames and the messages of a batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from limits import RateLimitItem, parse_many

from broker.kernel.clock import MILLISECONDS
from broker.kernel.errors import RateLimitedError
from broker.security.principal import Principal
from broker.security.rate_limits import Balance, Rate, RateLimits

SCOPE: Final = "station"
"""One allowance counts for everything that a caller does."""

Spend = Callable[[], None]
"""Spends of an allowance. Raises `RateLimitedError` when nothing is left of it."""


class Allowances:
    """The allowances of known callers, outside of what Flask-Limiter does at each request."""

    def __init__(self, rates: RateLimits, limits: str | None) -> None:
        """`limits` are as in WAYSTATION_RATE_LIMIT, None where there are none."""
        self._rates = rates
        self._items = parse_many(limits) if limits else []

    def spender(self, who: Principal) -> Spend:
        """What spends one of this caller's allowance."""

        def spend() -> None:
            for item in self._items:
                balance = self._rates.spend(_key(item, who), _rate(item))
                if not balance.is_granted:
                    raise refusal(balance)

        return spend

    def owe(self, who: Principal, cost: int) -> None:
        """Have a caller pay for what was granted already, and turned out to cost more."""
        for item in self._items:
            self._rates.owe(_key(item, who), _rate(item), cost)


def refusal(balance: Balance) -> RateLimitedError:
    """Why a caller has to wait, and for how long."""
    rate = balance.rate
    return RateLimitedError(
        f"You asked for more than {rate.amount} things in {seconds(rate.period_ms)} s. Wait for as"
        " long as Retry-After says.",
        retry_after_seconds=balance.one_in_ms / MILLISECONDS,
    )


def seconds(milliseconds: int) -> int:
    """Whole seconds, as headers have them; none too few."""
    return math.ceil(milliseconds / MILLISECONDS)


def _key(item: RateLimitItem, who: Principal) -> str:
    """As Flask-Limiter spells it, so that all is spent of the same allowance."""
    return item.key_for(who.name, SCOPE)


def _rate(item: RateLimitItem) -> Rate:
    return Rate(amount=item.amount, period_ms=item.get_expiry() * MILLISECONDS)
