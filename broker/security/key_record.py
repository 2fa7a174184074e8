"""A key as it is kept: whom it makes of its bearer, until when, and which secrets open it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from broker.kernel.ids import KeyId
from broker.security.principal import Principal
from broker.security.scopes import principal_of
from broker.security.tokens import same

_NO_DIGEST: Final = "none"
"""Stands for a secret that there is not; the digest of no token."""


class KeyState(StrEnum):
    """Whether a key opens anything."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A key; times in ms. `created_by` names the principal that made it.

    After a rotation the secret before opens it until `previous_until`. A revoked key has none.
    """

    id: KeyId
    name: str
    scopes: tuple[str, ...]
    created_at: int
    created_by: str
    expires_at: int | None = None
    last_used_at: int | None = None
    rotated_at: int | None = None
    revoked_at: int | None = None
    generation: int = 1
    digest: str | None = field(default=None, repr=False)
    previous_digest: str | None = field(default=None, repr=False)
    previous_until: int | None = None

    def state(self, now_ms: int) -> KeyState:
        """Whether it opens anything at this moment."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        if self.expires_at is not None and self.expires_at <= now_ms:
            return KeyState.EXPIRED
        return KeyState.ACTIVE

    def opened_by(self, digest: str, now_ms: int) -> Principal | None:
        """Whom the token of this digest proves at this moment; None if it does not open the key."""
        if self.state(now_ms) is not KeyState.ACTIVE:
            return None
        # Both are always compared, so that the time does not tell which one it was.
        is_current = same(self.digest or _NO_DIGEST, digest)
        is_previous = same(self.previous_digest or _NO_DIGEST, digest)
        ends = [self.expires_at] if self.expires_at is not None else []
        if is_previous and not is_current:
            if self.previous_until is None or self.previous_until <= now_ms:
                return None
            ends.append(self.previous_until)
        elif not is_current:
            return None
        return principal_of(self.id, self.scopes, min(ends) if ends else None)
