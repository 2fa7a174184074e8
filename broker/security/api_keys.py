"""API keys: made, rotated, revoked, and known again (SPEC Z1)."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from broker.kernel.clock import Clock
from broker.kernel.errors import (
    ConflictError,
    FieldProblem,
    InvalidFieldsError,
    KeyNotFoundError,
)
from broker.kernel.ids import AgentId, KeyId, Partition, new_id
from broker.security.key_record import ApiKey
from broker.security.key_store import ADMINS_PARTITION, KeyStore
from broker.security.key_use import KeyUse
from broker.security.principal import Principal, Role
from broker.security.scopes import agent_scope, checked
from broker.security.tokens import TokenKind, digest
from broker.storage.scripts import Argument, Outcome

STATION: Final = "station"
"""Who made what the station makes by itself."""


@dataclass(frozen=True, kw_only=True)
class NewKey:
    """What a key is to be; it ends at a moment, after a while (ms), or never."""

    name: str
    scopes: tuple[str, ...]
    expires_at: int | None = None
    expires_in_ms: int | None = None


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A key and its token, which can't be had a second time: only its digest is kept."""

    key: ApiKey
    token: str = dataclasses.field(repr=False)


class ApiKeys:
    """The register of keys."""

    def __init__(self, store: KeyStore, use: KeyUse, clock: Clock) -> None:
        self._store = store
        self._use = use
        self._clock = clock

    # --- for admins -------------------------------------------------------------------------

    def create(self, wanted: NewKey, *, created_by: str) -> Issued:
        """Make a key. Raises `InvalidFieldsError` for scopes that there are not, or an end past."""
        scopes = checked(wanted.scopes)
        if wanted.expires_at is not None and wanted.expires_at <= self._clock():
            raise InvalidFieldsError(
                [FieldProblem(field="expires_at", message="must lie in the future")]
            )
        if Role.ADMIN in scopes:
            issued = self._draw(wanted, created_by, ADMINS_PARTITION)
            self._store.create_for_admin(issued.key, only_first=False)
        else:
            partition = Partition(secrets.randbelow(self._store.keys.partitions))
            issued = self._draw(dataclasses.replace(wanted, scopes=scopes), created_by, partition)
            self._store.create(issued.key)
        return issued

    def create_first(self) -> Issued | None:
        """Make the admin key of a station that never had one; None where it did.

        Of several processes that start together, one gets it.
        """
        wanted = NewKey(name="first admin", scopes=(Role.ADMIN.value,))
        issued = self._draw(wanted, STATION, ADMINS_PARTITION)
        return issued if self._store.create_for_admin(issued.key, only_first=True) else None

    def get(self, key: KeyId) -> ApiKey:
        """One key. Raises `KeyNotFoundError`."""
        found = self._store.read([key])[0]
        if found is None:
            raise KeyNotFoundError(f"There is no key {key}, or it ended more than 30 days ago.")
        return found

    def find(self, *, limit: int, before: KeyId | None = None) -> tuple[list[ApiKey], KeyId | None]:
        """Keys, newest first, and where to go on."""
        names = [one for one in self._store.identifiers() if before is None or one < before]
        page = names[:limit]
        keys = [key for key in self._store.read(page) if key is not None]
        return keys, page[-1] if len(names) > limit else None

    def revoke(self, key: KeyId) -> ApiKey:
        """End a key for good. Raises `KeyNotFoundError`."""
        if self._store.revoke(self.get(key), self._clock()) == "unknown":
            raise KeyNotFoundError(f"There is no key {key}.")
        return self.get(key)

    def rotate(self, key: KeyId, *, overlap_ms: int) -> Issued:
        """Give a key a new secret; the old one opens it for `overlap_ms` more.

        Of two that do so at once, one is refused by `ConflictError`: each would end what the other
        hands out. Raises `KeyNotFoundError`, and `ConflictError` for a key that has ended.
        """
        token = TokenKind.KEY.new(key)
        now = self._clock()
        outcome = self._store.rotate(self.get(key), digest(token), now, now + overlap_ms)
        match outcome:
            case "unknown":
                raise KeyNotFoundError(f"There is no key {key}.")
            case "ended":
                raise ConflictError(f"Key {key} was revoked or has expired; create another one.")
            case "changed":
                raise ConflictError(
                    f"Key {key} was given another secret just now. Look whether that was meant,"
                    " and rotate it again if not."
                )
        return Issued(key=self.get(key), token=token)

    # --- for newcomers ----------------------------------------------------------------------

    def draw_for(self, agent: AgentId, *, created_by: str) -> Issued:
        """A key that would speak for an agent; `enrol` keeps it."""
        wanted = NewKey(name=agent, scopes=(agent_scope(agent),))
        return self._draw(wanted, created_by, self._store.keys.partition_for(agent))

    def enrol(
        self, drawn: Issued, names: Mapping[str, str], arguments: Mapping[str, Argument]
    ) -> Outcome:
        """Register the agent of a drawn key and keep the key, in one step: created or taken.

        The names and arguments are the directory's, as its `register.lua` takes them.
        """
        return self._store.enrol(drawn.key, names, arguments)

    # --- for whoever has to know who asks ---------------------------------------------------

    def opened_by(self, token: str) -> Principal | None:
        """Whom a token proves; None if it opens nothing. One trip, for tokens of our form."""
        identifier = TokenKind.KEY.identifier(token)
        if identifier is None:
            return None
        key = self._store.read([KeyId(identifier)])[0]
        if key is None:
            return None
        now = self._clock()
        principal = key.opened_by(digest(token), now)
        if principal is not None:
            self._use.note(key, now)
        return principal

    def _draw(self, wanted: NewKey, created_by: str, partition: Partition) -> Issued:
        now = self._clock()
        identifier = KeyId(new_id(TokenKind.KEY.id_prefix, at_ms=now, partition=partition))
        token = TokenKind.KEY.new(identifier)
        key = ApiKey(
            id=identifier,
            name=wanted.name,
            scopes=wanted.scopes,
            created_at=now,
            created_by=created_by,
            expires_at=wanted.expires_at
            if wanted.expires_in_ms is None
            else now + wanted.expires_in_ms,
            digest=digest(token),
        )
        return Issued(key=key, token=token)
