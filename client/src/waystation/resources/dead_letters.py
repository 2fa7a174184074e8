"""Dead letters: what could not be delivered (SPEC D1)."""

from __future__ import annotations

from waystation.answers import Closed, ClosedMany, DeadLetter, DeadLetters
from waystation.blocking import Blocking, blocking
from waystation.resources.resource import AsyncResource
from waystation.transport import Call, at, given


class AsyncDeadLetters(AsyncResource):
    """Finding dead letters, trying them again, and closing their cases."""

    async def list(
        self,
        *,
        agent: str | None = None,
        sender: str | None = None,
        channel: str | None = None,
        reason: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> DeadLetters:
        """A page of the dead letters that the caller may see, newest first."""
        query = given(
            agent=agent,
            from_=sender,
            channel=channel,
            reason=reason,
            status=status,
            limit=limit,
            cursor=cursor,
        )
        call = Call(method="GET", path=at("dead-letters"), query=query)
        return await self._transport.ask(call, DeadLetters)

    async def get(self, dead_letter_id: str) -> DeadLetter:
        """A dead letter with the history of its attempts. Raises `DeadLetterNotFoundError`."""
        call = Call(method="GET", path=at("dead-letters", dead_letter_id))
        return await self._transport.ask(call, DeadLetter)

    async def retry(self, dead_letter_id: str) -> Closed:
        """Put the message back into its inbox, with all its attempts before it.

        Raises `DeadLetterClosedError` where that was done already: so a call whose answer was lost
        is said again without delivering twice.
        """
        call = Call(method="POST", path=at("dead-letters", dead_letter_id, "retry"))
        return await self._transport.ask(call, Closed)

    async def resolve(self, dead_letter_id: str, resolution: str) -> Closed:
        """Close the case without delivering. Raises `DeadLetterClosedError`, as `retry` does."""
        call = Call(
            method="POST",
            path=at("dead-letters", dead_letter_id, "resolve"),
            body={"resolution": resolution},
        )
        return await self._transport.ask(call, Closed)

    # Said again, these would go on with letters that the first call left for its limit.

    async def retry_matching(
        self,
        *,
        agent: str | None = None,
        sender: str | None = None,
        channel: str | None = None,
        reason: str | None = None,
        limit: int | None = None,
    ) -> ClosedMany:
        """Retry the open dead letters that match, newest first; a result each. For operators."""
        body = given(agent=agent, from_=sender, channel=channel, reason=reason, limit=limit)
        call = Call(method="POST", path=at("dead-letters", "retry"), body=body, repeatable=False)
        return await self._transport.ask(call, ClosedMany)

    async def resolve_matching(
        self,
        resolution: str,
        *,
        agent: str | None = None,
        sender: str | None = None,
        channel: str | None = None,
        reason: str | None = None,
        limit: int | None = None,
    ) -> ClosedMany:
        """Resolve the open dead letters that match, newest first; a result each. For operators."""
        body = given(
            resolution=resolution,
            agent=agent,
            from_=sender,
            channel=channel,
            reason=reason,
            limit=limit,
        )
        call = Call(method="POST", path=at("dead-letters", "resolve"), body=body, repeatable=False)
        return await self._transport.ask(call, ClosedMany)


class BlockingDeadLetters(Blocking[AsyncDeadLetters]):
    """The blocking twin of `AsyncDeadLetters`."""

    list = blocking(AsyncDeadLetters.list)
    get = blocking(AsyncDeadLetters.get)
    retry = blocking(AsyncDeadLetters.retry)
    resolve = blocking(AsyncDeadLetters.resolve)
    retry_matching = blocking(AsyncDeadLetters.retry_matching)
    resolve_matching = blocking(AsyncDeadLetters.resolve_matching)
