"""Invitations: as admins ask for them, and as they are shown (SPEC Z1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypedDict

from app.schemas.fields import Duration, Identifier, Whole, agent_id_field, invitation_id_field
from app.schemas.lists import page_limit
from app.schemas.messages import moment
from app.schemas.shape import QueryShape, Shape
from broker.kernel.clock import rfc3339, system_clock
from broker.kernel.errors import FieldProblem
from broker.kernel.ids import InvitationId
from broker.messaging.wire import Timestamp
from broker.security.invitation_store import Invitation
from broker.security.invitations import INVITED_PATTERN, Invited, NewInvitation, state_of

_PAGE: Final = 100
_WEEK_MS: Final = 7 * 86_400_000
_YEAR_SECONDS: Final = 366 * 86_400
_MAX_USES: Final = 10_000
_ANYBODY: Final = "*"


class NewInvitationShape(Shape[NewInvitation]):
    """An invitation that is to be made."""

    agent_id = agent_id_field(description="The one agent that it is for.")
    pattern = Identifier(
        INVITED_PATTERN,
        "an agent id in which * stands for any characters",
        description="The agents that it is for; any where nothing is said.",
    )
    uses = Whole(1, _MAX_USES, description="How many agents it lets in; 1 where nothing is said.")
    expires_in_ms = Duration(
        1,
        _YEAR_SECONDS,
        data_key="expires_in_seconds",
        description="How long it holds; a week where nothing is said.",
    )

    def rules(self, data: Mapping[str, Any]) -> Iterable[FieldProblem]:
        """It is for one agent, or for a pattern of them."""
        if data.get("agent_id") is not None and data.get("pattern") is not None:
            yield FieldProblem(field="pattern", message="excludes agent_id")

    def build(self, values: dict[str, Any]) -> NewInvitation:
        """The invitation that is asked for."""
        return NewInvitation(
            pattern=values.get("agent_id") or values.get("pattern", _ANYBODY),
            uses=values.get("uses", 1),
            expires_in_ms=values.get("expires_in_ms", _WEEK_MS),
        )


@dataclass(frozen=True, kw_only=True)
class FindInvitations:
    """A page of the invitations."""

    limit: int
    before: InvitationId | None


class FindInvitationsShape(QueryShape[FindInvitations]):
    """Which invitations to list, newest first."""

    limit = page_limit()
    before = invitation_id_field(data_key="cursor", description="Go on behind this one.")

    def build(self, values: dict[str, Any]) -> FindInvitations:
        """The page that is asked for."""
        return FindInvitations(limit=values.get("limit", _PAGE), before=values.get("before"))


class InvitationView(TypedDict):
    """An invitation without its token."""

    id: str
    pattern: str
    uses: int
    used: int
    status: str
    created_at: Timestamp
    created_by: str
    expires_at: Timestamp
    revoked_at: Timestamp | None


class InvitedView(InvitationView):
    """An invitation and its token: the only time that it is shown."""

    token: str


class InvitationsView(TypedDict):
    """A page of invitations; the cursor is null at the end."""

    invitations: list[InvitationView]
    cursor: str | None


def invitation_view(invitation: Invitation) -> InvitationView:
    """An invitation as admins see it."""
    return {
        "id": invitation.id,
        "pattern": invitation.pattern,
        "uses": invitation.uses,
        "used": invitation.used,
        "status": state_of(invitation, system_clock()).value,
        "created_at": rfc3339(invitation.created_at),
        "created_by": invitation.created_by,
        "expires_at": rfc3339(invitation.expires_at),
        "revoked_at": moment(invitation.revoked_at),
    }


def invited_view(invited: Invited) -> InvitedView:
    """An invitation as whoever made it sees it, once."""
    return {**invitation_view(invited.invitation), "token": invited.token}


NEW_INVITATION: Final = NewInvitationShape()
FIND_INVITATIONS: Final = FindInvitationsShape()
