"""Signed tokens (JWT, RFC 7519): whom they prove, and what makes them hold (SPEC Z1, RFC 8725)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from broker.kernel.clock import MILLISECONDS
from broker.security.principal import Principal
from broker.security.published_keys import ALGORITHMS, VerificationKey
from broker.security.scopes import principal_of

LEEWAY_SECONDS: Final = 30
_MAX_NAME: Final = 200
_LAST_SECOND: Final = 253_402_300_799
"""Of the year 9999, the last that can be written as a time."""

_REQUIRED: Final = ["aud", "exp", "sub"]

FindKey = Callable[[str | None], VerificationKey | None]
"""The key of an id. Raises `IdentityUnavailableError` where that can't be said."""


def the_one_key(pem: str) -> FindKey:
    """Finds the same key, whatever id a token names."""
    key = load_pem_public_key(pem.encode())
    algorithm = "EdDSA" if isinstance(key, Ed25519PublicKey) else "RS256"
    found = VerificationKey(key=key, algorithm=algorithm)
    return lambda _: found


class SignedTokens:
    """Checks tokens against the keys, the issuer and the audience of the settings."""

    def __init__(self, find_key: FindKey, *, issuer: str | None, audience: str) -> None:
        self._find_key = find_key
        self._issuer = issuer
        self._audience = audience
        self._jwt = jwt.PyJWT({"enforce_minimum_key_length": True})

    def opened_by(self, token: str) -> Principal | None:
        """Whom a token proves; None if it does not hold, for whatever reason.

        Raises `IdentityUnavailableError`.
        """
        try:
            header = jwt.get_unverified_header(token)
            key_id = header.get("kid")
            # Before any key is looked for: what can't hold is to cause no fetch.
            if header.get("alg") not in ALGORITHMS or not isinstance(key_id, str | None):
                return None
            key = self._find_key(key_id)
            if key is None:
                return None
            claims = self._jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": _REQUIRED},
            )
            ends_at = int(claims["exp"]) + LEEWAY_SECONDS
        except (jwt.PyJWTError, ValueError, OverflowError, RecursionError, TypeError):
            # What a stranger puts into a token can fail in the library in many ways.
            return None
        name = claims["sub"]
        if not name.isprintable() or not 1 <= len(name) <= _MAX_NAME or ends_at > _LAST_SECOND:
            return None
        return principal_of(f"jwt:{name}", _scopes(claims), ends_at * MILLISECONDS)


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    """`scope`, words with spaces between (RFC 8693 section 4.2), or a list in `scopes`."""
    spoken, listed = claims.get("scope"), claims.get("scopes")
    words = spoken.split() if isinstance(spoken, str) else []
    return (
        words + [one for one in listed if isinstance(one, str)]
        if isinstance(listed, list)
        else words
    )
