"""Whom a token proves: a key, a signed token or the admin's own; the one answer for all faces."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from broker.kernel.clock import Clock
from broker.kernel.errors import UnauthenticatedError
from broker.security.principal import ANYONE, Principal, Role
from broker.security.tokens import digest, same

REMEMBERED_SECONDS: Final = 1.0
"""How long a process trusts what it found out: a revoked key is dead everywhere after this."""

_REMEMBERED: Final = 4_096
_LONGEST: Final = 8_192
_NOBODY: Final = (
    "No token, or none that holds, was sent. Send one: Authorization: Bearer <token>; an admin of"
    " this station makes them."
)

Opener = Callable[[str], Principal | None]
"""Whom a token proves, if it is one of its kind and holds."""


class Identities:
    """Tells who bears a token, asking each kind of token in turn.

    What a token proved is remembered for a second, by the token's digest, so that a busy caller
    costs a trip to Redis a second and not one a request. What did not hold is not remembered: it
    would let strangers fill the memory.
    """

    def __init__(
        self,
        openers: tuple[Opener, ...],
        *,
        required: bool,
        admin_token: str | None,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.required = required
        self._openers = openers
        self._admin_digest = digest(admin_token) if admin_token else None
        self._clock = clock
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[Principal, float]] = OrderedDict()

    def of(self, token: str | None) -> Principal:
        """Who bears this token. Where none is asked for, everybody is `ANYONE`, token or not.

        Raises `UnauthenticatedError`, the same for every reason, so that nobody learns from it how
        close a guess was; `IdentityUnavailableError`, `StorageUnavailableError`.
        """
        if not self.required:
            return ANYONE
        if not token or len(token) > _LONGEST:
            raise UnauthenticatedError(_NOBODY)
        fingerprint = digest(token)
        remembered = self._remembered(fingerprint)
        if remembered is not None:
            return remembered
        found = self._opened_by(token, fingerprint)
        if found is None:
            raise UnauthenticatedError(_NOBODY)
        with self._lock:
            self._known[fingerprint] = (found, self._monotonic() + REMEMBERED_SECONDS)
            self._known.move_to_end(fingerprint)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return found

    def _opened_by(self, token: str, fingerprint: str) -> Principal | None:
        if self._admin_digest is not None and same(self._admin_digest, fingerprint):
            return Principal(name="admin-token", roles=frozenset({Role.ADMIN}))
        return next(filter(None, (opened_by(token) for opened_by in self._openers)), None)

    def _remembered(self, fingerprint: str) -> Principal | None:
        with self._lock:
            found, until = self._known.get(fingerprint, (None, 0.0))
        if found is None or self._monotonic() >= until:
            return None
        if found.expires_at is not None and found.expires_at <= self._clock():
            return None
        return found
