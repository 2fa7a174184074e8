"""The keys that an identity provider publishes (a JWK Set, RFC 7517), fetched seldom."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from jwt import PyJWKClient

from broker.kernel.errors import IdentityUnavailableError

ALGORITHMS: Final = ("EdDSA", "RS256")
"""What a signature may be made by (SPEC Z1). None of them takes a public key for a secret."""

FRESH_SECONDS: Final = 300.0
PAUSE_SECONDS: Final = 10.0
_TIMEOUT_SECONDS: Final = 3.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class VerificationKey:
    """A public key and the one algorithm that it is for, whatever a token's header says."""

    key: Any
    algorithm: str


Fetch = Callable[[], Mapping[str, VerificationKey]]
"""The published keys by their ids. What it raises where they can't be had is the library's."""


def fetch_from(url: str) -> Fetch:
    """What fetches the JWK Set at `url`; redirects are not followed."""
    client = PyJWKClient(url, cache_jwk_set=False, timeout=_TIMEOUT_SECONDS)

    def fetch() -> Mapping[str, VerificationKey]:
        return {
            key.key_id: VerificationKey(key=key.key, algorithm=key.algorithm_name)
            for key in client.get_signing_keys()
            if isinstance(key.key_id, str) and key.algorithm_name in ALGORITHMS
        }

    return fetch


class PublishedKeys:
    """Finds published keys by their ids.

    They are fetched when one is needed that is not known, or after `FRESH_SECONDS`; but at most
    every `PAUSE_SECONDS`, however many unknown ids come. While they can't be fetched, those that
    are known go on working.
    """

    def __init__(self, fetch: Fetch, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys: Mapping[str, VerificationKey] = {}
        self._fetching = threading.Lock()
        self._tried_at = self._fetched_at = float("-inf")

    def find(self, key_id: str | None) -> VerificationKey | None:
        """The key of this id; the only one where a token names none. None if there is none.

        Raises `IdentityUnavailableError` for one that is not known while the keys can't be had.
        """
        known = self._known(key_id)
        if known is not None:
            if self._is_stale() and self._fetching.acquire(blocking=False):
                # Whoever comes meanwhile goes on with what is known.
                try:
                    self._refresh()
                finally:
                    self._fetching.release()
            return self._known(key_id)
        with self._fetching:
            # Somebody else may have fetched while this waited for its turn.
            known = self._known(key_id)
            if known is None:
                self._refresh()
                known = self._known(key_id)
        if known is None and self._fetched_at < self._tried_at:
            raise IdentityUnavailableError(
                "The keys of the identity provider can't be fetched now. Try again.",
                retry_after_seconds=PAUSE_SECONDS,
            )
        return known

    def _known(self, key_id: str | None) -> VerificationKey | None:
        keys = self._keys
        if key_id is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(key_id)

    def _is_stale(self) -> bool:
        return self._monotonic() - self._fetched_at >= FRESH_SECONDS

    def _refresh(self) -> None:
        now = self._monotonic()
        if now - self._tried_at < PAUSE_SECONDS:
            return
        self._tried_at = now
        try:
            self._keys = self._fetch()
        except Exception as error:  # noqa: BLE001 - what a stranger publishes fails in many ways
            _log.warning("identity.keys_not_fetched", error=type(error).__name__)
        else:
            self._fetched_at = now
