"""Invitations, by which agents without a key may register; for admins (SPEC Z1)."""

from __future__ import annotations

from waystation.answers import Invitation, Invitations, Invited
from waystation.blocking import Blocking, blocking
from waystation.resources.resource import AsyncResource
from waystation.transport import Call, at, given


class AsyncInvitations(AsyncResource):
    """Making and revoking invitations."""

    async def create(
        self,
        *,
        agent_id: str | None = None,
        pattern: str | None = None,
        uses: int | None = None,
        expires_in_seconds: float | None = None,
    ) -> Invited:
        """Invite one agent, or those whose ids match a pattern; `token` is shown this once.

        Not said again where the answer is lost, since the token is lost with it.
        """
        body = given(
            agent_id=agent_id, pattern=pattern, uses=uses, expires_in_seconds=expires_in_seconds
        )
        call = Call(method="POST", path=at("invitations"), body=body, repeatable=False)
        return await self._transport.ask(call, Invited)

    async def list(self, *, limit: int | None = None, cursor: str | None = None) -> Invitations:
        """A page of invitations, newest first."""
        query = given(limit=limit, cursor=cursor)
        call = Call(method="GET", path=at("invitations"), query=query)
        return await self._transport.ask(call, Invitations)

    async def get(self, invitation_id: str) -> Invitation:
        """An invitation, and how often it was used. Raises `InvitationNotFoundError`."""
        call = Call(method="GET", path=at("invitations", invitation_id))
        return await self._transport.ask(call, Invitation)

    async def revoke(self, invitation_id: str) -> Invitation:
        """Let nobody in by it any more; who came in by it stays."""
        call = Call(method="DELETE", path=at("invitations", invitation_id))
        return await self._transport.ask(call, Invitation)


class BlockingInvitations(Blocking[AsyncInvitations]):
    """The blocking twin of `AsyncInvitations`."""

    create = blocking(AsyncInvitations.create)
    list = blocking(AsyncInvitations.list)
    get = blocking(AsyncInvitations.get)
    revoke = blocking(AsyncInvitations.revoke)
