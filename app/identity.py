"""The one place where a request becomes a principal; for HTTP, WebSocket and every later face.

A token comes in the header `Authorization: Bearer <token>` (RFC 6750) and nowhere else: what stands
in a URL ends up in logs and histories.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from flask import g, request

from app.context import context
from broker.security.identities import Identities
from broker.security.principal import ANYONE, Principal

_SCHEME: Final = "bearer"
CHALLENGE: Final = 'Bearer realm="waystation"'
"""What a 401 says about how to come in (RFC 6750 section 3)."""

SECURITY_SCHEMES: Final = {
    "token": {
        "type": "http",
        "scheme": _SCHEME,
        "description": "A key (wsk_…), or a signed token (JWT) where the station takes them.",
    }
}
"""The same for documents; OpenAPI and AsyncAPI write it alike."""

INVALID: Final = f'{CHALLENGE}, error="invalid_token"'


def principal() -> Principal:
    """Who asks, proven once a request.

    Raises `UnauthenticatedError`, `IdentityUnavailableError`, `StorageUnavailableError`.
    """
    identities = _identities()
    if not identities.required:
        return ANYONE
    found: Principal | None = g.get("principal")
    if found is None:
        found = g.principal = identities.of(_token())
    return found


def caller() -> Principal | None:
    """Who asks, where nobody may ask as well: None for whoever sends no token.

    A token that does not hold is refused all the same. Raises as `principal` does.
    """
    if _identities().required and "Authorization" not in request.headers:
        return None
    return principal()


def proof() -> Callable[[], Principal]:
    """What proves again who asks, for connections that outlive their request.

    Raises as `principal` does, once the token has ended or was revoked.
    """
    identities, token = _identities(), _token()
    return lambda: identities.of(token)


def challenge() -> dict[str, str]:
    """The header of a 401: how to come in, and whether what was sent did not hold."""
    return {"WWW-Authenticate": INVALID if "Authorization" in request.headers else CHALLENGE}


def _identities() -> Identities:
    return context().identities


def _token() -> str | None:
    """What the request bears, if it is of the one scheme that there is."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == _SCHEME else None
