"""Invitations, by which agents without a key may register (SPEC Z1)."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint
from flask import Response

from app.access import ADMIN
from app.context import broker
from app.identity import principal
from app.json_document import answer
from app.rest.operation import operation
from app.schemas.invitations import (
    FIND_INVITATIONS,
    NEW_INVITATION,
    FindInvitations,
    InvitationsView,
    InvitationView,
    InvitedView,
    invitation_view,
    invited_view,
)
from broker.kernel.ids import InvitationId
from broker.security.invitations import NewInvitation

invitations = APIBlueprint("invitations", __name__)

_EXAMPLE: Final = {"pattern": "build-*", "uses": 10, "expires_in_seconds": 86_400}
_NO_STORE: Final = {"Cache-Control": "no-store"}


@invitations.post("/invitations")
@operation(
    "createInvitation",
    access=ADMIN,
    body=NEW_INVITATION,
    optional=True,
    example=_EXAMPLE,
    answers={201: InvitedView},
)
def create(body: NewInvitation) -> Response:
    """Make an invitation; its token is answered here and never again."""
    invited = broker().identity.invitations.create(body, created_by=principal().name)
    return answer(invited_view(invited), 201, _NO_STORE)


@invitations.get("/invitations")
@operation("findInvitations", access=ADMIN, query=FIND_INVITATIONS, answers={200: InvitationsView})
def find(query: FindInvitations) -> Response:
    """List invitations, newest first."""
    found, cursor = broker().identity.invitations.find(limit=query.limit, before=query.before)
    return answer(
        InvitationsView(invitations=[invitation_view(one) for one in found], cursor=cursor)
    )


@invitations.get("/invitations/<invitation_id>")
@operation(
    "getInvitation", access=ADMIN, answers={200: InvitationView}, errors=("invitation_not_found",)
)
def get(invitation_id: InvitationId) -> Response:
    """Show an invitation and how often it was used."""
    return answer(invitation_view(broker().identity.invitations.get(invitation_id)))


@invitations.delete("/invitations/<invitation_id>")
@operation(
    "revokeInvitation",
    access=ADMIN,
    answers={200: InvitationView},
    errors=("invitation_not_found",),
)
def revoke(invitation_id: InvitationId) -> Response:
    """Let nobody in by it any more; who came in by it stays."""
    return answer(invitation_view(broker().identity.invitations.revoke(invitation_id)))
