"""How much callers may ask for in a time, by Flask-Limiter over allowances in Redis (SPEC Z3).

Who is known has one allowance for all that it does, wherever it does it; who is not shares that of
its address. Probes are free. Answers tell how the allowance stands in the fields of
draft-ietf-httpapi-ratelimit-headers-06.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from typing import Final

from flask import Flask, g, request
from flask.wrappers import Response
from flask_limiter import ApplicationLimit, Limiter, RequestLimit

from app.allowance_storage import STRATEGY, URI, balances_of_request
from app.allowances import SCOPE, refusal, seconds
from app.context import AppContext, context
from app.identity import principal
from broker.kernel.errors import BrokerError
from broker.security.principal import Principal

_FREE: Final = frozenset({"probes.is_alive", "probes.is_ready"})
_NETWORK_BITS: Final = 64
"""Of an IPv6 address: whoever has one usually has all the others that begin with these."""


def charge_for(count: int) -> None:
    """Have the current request pay for so many things that it asks for at once."""
    if count > 1:
        context().allowances.owe(principal(), count - 1)


def limit_requests(app: Flask, context: AppContext) -> None:
    """Limit what this application is asked, from now on; without any limit it costs nothing."""
    settings = context.settings
    limits: list[ApplicationLimit | str | Callable[[], str]] = [
        ApplicationLimit(rates, key_function=key, scope=SCOPE, exempt_when=is_exempt)
        for rates, key, is_exempt in (
            (settings.caller_rates, _name, lambda: _caller() is None),
            (settings.anonymous_rates, _address, lambda: _caller() is not None),
        )
        if rates is not None
    ]
    if not limits:
        return
    limiter = Limiter(
        _address,
        app=app,
        application_limits=limits,
        storage_uri=URI,
        strategy=STRATEGY,
        on_breach=_refuse,
        request_identifier=lambda: request.endpoint or "nothing",
    )
    # It tells of each refusal, and a flood of them would be one of the log; the metrics count them.
    limiter.logger.setLevel(logging.WARNING)
    limiter.request_filter(lambda: request.endpoint in _FREE)
    app.after_request(_tell)


def _caller() -> Principal | None:
    """Who asks, None for who shows nothing that holds."""
    if "limited_as" not in g:
        try:
            g.limited_as = principal()
        except BrokerError as error:
            if not error.permanent:
                raise
            g.limited_as = None
    found: Principal | None = g.limited_as
    return found


def _name() -> str:
    return principal().name


def _address() -> str:
    """The address that the request came from: a proxy's, where there is one in between."""
    try:
        address = ipaddress.ip_address(request.remote_addr or "")
    except ValueError:
        return "elsewhere"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), _NETWORK_BITS), strict=False))
    return str(address)


def _refuse(_: RequestLimit) -> Response | None:
    raise refusal(max(balances_of_request(), key=lambda one: one.one_in_ms))


def _tell(response: Response) -> Response:
    balances = balances_of_request()
    if balances:
        tightest = min(balances, key=lambda one: (one.is_granted, one.remaining))
        rate = tightest.rate
        response.headers["RateLimit-Limit"] = str(rate.amount)
        response.headers["RateLimit-Remaining"] = str(tightest.remaining)
        response.headers["RateLimit-Reset"] = str(seconds(tightest.full_in_ms))
        response.headers["RateLimit-Policy"] = f"{rate.amount};w={seconds(rate.period_ms)}"
    return response
