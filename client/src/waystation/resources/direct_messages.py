"""Direct messages: conversations of two agents (SPEC R4)."""

from __future__ import annotations

from typing import Unpack

from waystation.answers import Accepted, DirectConversations, DirectHistory
from waystation.blocking import Blocking, blocking
from waystation.resources.messages import DirectOptions, draft
from waystation.resources.resource import AsyncResource
from waystation.transport import Call, at, given


class AsyncDirectMessages(AsyncResource):
    """Writing to one other agent, and reading what the two said."""

    async def send(
        self, sender: str, to: str, body: str | None = None, **options: Unpack[DirectOptions]
    ) -> Accepted:
        """Send a direct message; when this returns it is on the station's disk.

        Raises `UnknownAgentError`, with near names.
        """
        call = Call(method="POST", path=at("dms"), body=draft(sender, to, body, options))
        return await self._transport.ask(call, Accepted)

    async def list(
        self, agent_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> DirectConversations:
        """With whom an agent talks, the last used first, and how much it has not read."""
        query = given(limit=limit, cursor=cursor)
        call = Call(method="GET", path=at("agents", agent_id, "dms"), query=query)
        return await self._transport.ask(call, DirectConversations)

    async def history(
        self, agent_id: str, other_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> DirectHistory:
        """The newest messages of a conversation, oldest first; marks nothing as read."""
        query = given(limit=limit, cursor=cursor)
        call = Call(method="GET", path=at("agents", agent_id, "dms", other_id), query=query)
        return await self._transport.ask(call, DirectHistory)


class BlockingDirectMessages(Blocking[AsyncDirectMessages]):
    """The blocking twin of `AsyncDirectMessages`."""

    send = blocking(AsyncDirectMessages.send)
    list = blocking(AsyncDirectMessages.list)
    history = blocking(AsyncDirectMessages.history)
