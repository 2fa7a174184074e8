"""`waystation invitations`: letting agents without a key register, for admins (SPEC Z1)."""

from __future__ import annotations

from typing import Final

import click

from waystation.cli.context import Invocation, with_invocation
from waystation.cli.durations import DURATION
from waystation.cli.options import CommandGroup
from waystation.cli.paging import paged

_COLUMNS: Final = ("INVITATION", "FOR", "USED", "USES", "STATUS", "EXPIRES", "CREATED BY")

_invitation = click.argument("invitation_id", metavar="INVITATION")


@click.group("invitations", cls=CommandGroup)
def command() -> None:
    """Invite agents that have no key."""


@command.command("create")
@click.option("--for", "agent_id", metavar="AGENT", help="The one agent that it is for.")
@click.option("--pattern", help="Those that it is for, as build-*; any where nothing is said.")
@click.option("--uses", type=click.IntRange(1), help="How many it lets in; one if not said.")
@click.option(
    "--expires-in", "expires_in_seconds", type=DURATION, help="How long it holds; a week if not."
)
@with_invocation
def create(
    invocation: Invocation,
    /,
    *,
    agent_id: str | None,
    pattern: str | None,
    uses: int | None,
    expires_in_seconds: float | None,
) -> None:
    """Make an invitation; its token is printed this once."""
    invited = invocation.station.invitations.create(
        agent_id=agent_id, pattern=pattern, uses=uses, expires_in_seconds=expires_in_seconds
    )
    invocation.output.result(invited, invited.token)
    invocation.output.note(f"{invited.id}: this is shown once. It is for {invited.pattern}.")


@command.command("list")
@paged
@with_invocation
def list_invitations(invocation: Invocation, /, *, limit: int | None, cursor: str | None) -> None:
    """List invitations, newest first."""
    page = invocation.station.invitations.list(limit=limit, cursor=cursor)
    rows = [
        (one.id, one.pattern, one.used, one.uses, one.status, one.expires_at, one.created_by)
        for one in page.invitations
    ]
    invocation.output.page(page, _COLUMNS, rows, empty="No invitations.", cursor=page.cursor)


@command.command("show")
@_invitation
@with_invocation
def show(invocation: Invocation, /, *, invitation_id: str) -> None:
    """Show an invitation, and how often it was used."""
    one = invocation.station.invitations.get(invitation_id)
    invocation.output.record(
        one,
        {
            "id": one.id,
            "for": one.pattern,
            "used": one.used,
            "uses": one.uses,
            "status": one.status,
            "created": one.created_at,
            "created by": one.created_by,
            "expires": one.expires_at,
            "revoked": one.revoked_at,
        },
    )


@command.command("revoke")
@_invitation
@with_invocation
def revoke(invocation: Invocation, /, *, invitation_id: str) -> None:
    """Let nobody in by it any more."""
    one = invocation.station.invitations.revoke(invitation_id)
    invocation.output.result(one, f"{one.id} {one.status}")
