"""Threads: conversations in order (SPEC M12)."""

from __future__ import annotations

from waystation.answers import Messages
from waystation.blocking import Blocking, blocking
from waystation.resources.resource import AsyncResource
from waystation.transport import Call, at, given


class AsyncThreads(AsyncResource):
    """Reading conversations."""

    async def get(
        self, thread_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Messages:
        """A page of a conversation, oldest first, of what the caller may see.

        Raises `ThreadNotFoundError` where that is nothing.
        """
        query = given(limit=limit, cursor=cursor)
        call = Call(method="GET", path=at("threads", thread_id), query=query)
        return await self._transport.ask(call, Messages)


class BlockingThreads(Blocking[AsyncThreads]):
    """The blocking twin of `AsyncThreads`."""

    get = blocking(AsyncThreads.get)
