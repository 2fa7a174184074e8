"""Recurring messages (SPEC S1)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Unpack

from waystation.answers import NextTimes, Recurring, RecurringHistory, RecurringList
from waystation.blocking import Blocking, blocking
from waystation.resources.messages import RecurringOptions, Target
from waystation.resources.resource import AsyncResource
from waystation.transport import Call, at, given


class AsyncRecurring(AsyncResource):
    """Sending again and again, on a schedule."""

    async def create(
        self,
        sender: str,
        to: Target,
        body: str | None = None,
        *,
        schedule: str,
        timezone: str | None = None,
        expires_at: datetime | None = None,
        policy: str | None = None,
        **options: Unpack[RecurringOptions],
    ) -> Recurring:
        """Begin a recurring message.

        `schedule` is `interval:<seconds>`, five cron fields, or `at:` and a time; `policy` says
        whether what was missed is sent late (`catch_up`) or not (`skip`). Without an
        `idempotency_key` it gets one, so that it can be said again.
        """
        fields: dict[str, Any] = (
            given(
                from_=sender,
                to=to,
                body=body,
                schedule=schedule,
                timezone=timezone,
                expires_at=expires_at,
                policy=policy,
            )
            | options
        )
        fields.setdefault("idempotency_key", uuid.uuid4().hex)
        call = Call(method="POST", path=at("recurring"), body=fields)
        return await self._transport.ask(call, Recurring)

    async def list(
        self,
        *,
        sender: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> RecurringList:
        """A page of the recurring messages that the caller may see, newest first."""
        query = given(from_=sender, status=status, limit=limit, cursor=cursor)
        call = Call(method="GET", path=at("recurring"), query=query)
        return await self._transport.ask(call, RecurringList)

    async def get(self, recurring_id: str) -> Recurring:
        """A recurring message and how often it was sent. Raises `RecurringNotFoundError`."""
        call = Call(method="GET", path=at("recurring", recurring_id))
        return await self._transport.ask(call, Recurring)

    async def pause(self, recurring_id: str) -> Recurring:
        """Send nothing until it is resumed. Raises `RecurringEndedError`."""
        call = Call(method="POST", path=at("recurring", recurring_id, "pause"))
        return await self._transport.ask(call, Recurring)

    async def resume(self, recurring_id: str) -> Recurring:
        """Go on with the next time that lies ahead. Raises `RecurringEndedError`."""
        call = Call(method="POST", path=at("recurring", recurring_id, "resume"))
        return await self._transport.ask(call, Recurring)

    async def cancel(self, recurring_id: str) -> Recurring:
        """End it for good; what was sent stays sent. Raises `RecurringEndedError`."""
        call = Call(method="DELETE", path=at("recurring", recurring_id))
        return await self._transport.ask(call, Recurring)

    async def history(
        self, recurring_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> RecurringHistory:
        """A page of what became of its times, newest first."""
        query = given(limit=limit, cursor=cursor)
        call = Call(method="GET", path=at("recurring", recurring_id, "history"), query=query)
        return await self._transport.ask(call, RecurringHistory)

    async def next_times(
        self, recurring_id: str, *, count: int | None = None
    ) -> Sequence[datetime]:
        """When it will be sent; for a paused one, if it were resumed now."""
        query = given(count=count)
        call = Call(method="GET", path=at("recurring", recurring_id, "next"), query=query)
        return (await self._transport.ask(call, NextTimes)).next_times


class BlockingRecurring(Blocking[AsyncRecurring]):
    """The blocking twin of `AsyncRecurring`."""

    create = blocking(AsyncRecurring.create)
    list = blocking(AsyncRecurring.list)
    get = blocking(AsyncRecurring.get)
    pause = blocking(AsyncRecurring.pause)
    resume = blocking(AsyncRecurring.resume)
    cancel = blocking(AsyncRecurring.cancel)
    history = blocking(AsyncRecurring.history)
    next_times = blocking(AsyncRecurring.next_times)
