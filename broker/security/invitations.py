"""Invitations: tokens by which agents that have no key yet may register, and get one."""

from __future__ import annotations

import dataclasses
import fnmatch
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from broker.kernel.clock import Clock
from broker.kernel.errors import ForbiddenError, InvitationNotFoundError
from broker.kernel.ids import AgentId, InvitationId, Partition, new_id
from broker.security.invitation_store import Invitation, InvitationStore
from broker.security.tokens import TokenKind, digest, same

INVITED_PATTERN: Final = r"^[A-Za-z0-9_*][A-Za-z0-9_.@~*-]{0,127}$"
"""An agent's id, in which `*` stands for any characters."""

_REFUSED: Final = "This invitation does not let that agent in: it has ended, or is for others."


class InvitationState(StrEnum):
    """Whether an invitation lets anybody in."""

    OPEN = "open"
    USED = "used"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, kw_only=True)
class NewInvitation:
    """Whom an invitation is to let register (`*` for any characters), how often, until when."""

    pattern: str
    uses: int
    expires_in_ms: int


@dataclass(frozen=True, kw_only=True)
class Invited:
    """An invitation and its token, which can't be had a second time."""

    invitation: Invitation
    token: str = dataclasses.field(repr=False)


def state_of(invitation: Invitation, now_ms: int) -> InvitationState:
    """Whether it lets anybody in at this moment."""
    if invitation.revoked_at is not None:
        return InvitationState.REVOKED
    if invitation.expires_at <= now_ms:
        return InvitationState.EXPIRED
    return InvitationState.USED if invitation.used >= invitation.uses else InvitationState.OPEN


def is_meant(pattern: str, agent: AgentId) -> bool:
    """Whether an invitation of this pattern is for this agent."""
    return fnmatch.fnmatchcase(agent, pattern)


class Invitations:
    """The register of invitations."""

    def __init__(self, store: InvitationStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def create(self, wanted: NewInvitation, *, created_by: str) -> Invited:
        """Make an invitation."""
        now = self._clock()
        partition = Partition(secrets.randbelow(self._store.partitions))
        prefix = TokenKind.INVITATION.id_prefix
        identifier = InvitationId(new_id(prefix, at_ms=now, partition=partition))
        token = TokenKind.INVITATION.new(identifier)
        invitation = Invitation(
            id=identifier,
            pattern=wanted.pattern,
            uses=wanted.uses,
            created_at=now,
            created_by=created_by,
            expires_at=now + wanted.expires_in_ms,
            digest=digest(token),
        )
        self._store.create(invitation)
        return Invited(invitation=invitation, token=token)

    def get(self, invitation: InvitationId) -> Invitation:
        """One invitation. Raises `InvitationNotFoundError`."""
        found = self._store.read([invitation])[0]
        if found is None:
            raise InvitationNotFoundError(f"There is no invitation {invitation}.")
        return found

    def find(
        self, *, limit: int, before: InvitationId | None = None
    ) -> tuple[list[Invitation], InvitationId | None]:
        """Invitations, newest first, and where to go on."""
        names = [one for one in self._store.identifiers() if before is None or one < before]
        page = names[:limit]
        found = [one for one in self._store.read(page) if one is not None]
        return found, page[-1] if len(names) > limit else None

    def revoke(self, invitation: InvitationId) -> Invitation:
        """Let nobody in by it from now on. Raises `InvitationNotFoundError`."""
        if self._store.revoke(invitation, self._clock()) == "unknown":
            raise InvitationNotFoundError(f"There is no invitation {invitation}.")
        return self.get(invitation)

    def use(self, token: str, agent: AgentId) -> InvitationId:
        """Use an invitation for an agent; repeating it for the same agent takes no further use.

        Raises `ForbiddenError`, the same for every reason: it tells nobody how close a guess was.
        """
        identifier = TokenKind.INVITATION.identifier(token)
        found = self._store.read([InvitationId(identifier)])[0] if identifier else None
        if (
            found is None
            or not same(found.digest or "", digest(token))
            or not is_meant(found.pattern, agent)
            or self._store.use(found, agent, self._clock()) != "used"
        ):
            raise ForbiddenError(_REFUSED)
        return found.id
