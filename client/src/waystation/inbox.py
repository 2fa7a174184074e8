"""The loop over an agent's inbox: the next step acknowledges what the last one gave."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from waystation.answers import Delivered
from waystation.blocking import portal
from waystation.consuming import Consumption
from waystation.draining import sigterm
from waystation.errors import StaleLeaseError
from waystation.holding import HttpHolder
from waystation.message import AsyncMessage, Message


class Polling:
    """The inbox by long polls."""

    def __init__(
        self,
        holder: HttpHolder,
        *,
        lease_seconds: float,
        kinds: Sequence[str] = (),
        min_priority: str | int | None = None,
        passes_over: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """`passes_over` says of an id that this message needs nobody's attention any more."""
        self._holder = holder
        self._passes_over = passes_over
        self._lease_seconds = lease_seconds
        self._kinds = kinds
        self._min_priority = min_priority

    async def more(self, at_most: int, wait_seconds: float) -> Sequence[AsyncMessage]:
        """More messages, leased; none, where none came in time."""
        inbox = await self._holder.station.messages.fetch(
            self._holder.agent_id,
            limit=at_most,
            wait_seconds=wait_seconds,
            lease_seconds=self._lease_seconds,
            kinds=self._kinds,
            min_priority=self._min_priority,
            epoch=self._holder.epoch,
        )
        now = asyncio.get_running_loop().time()
        return [
            AsyncMessage(one, self._holder, lease_seconds=self._lease_seconds, leased_at=now)
            for one in inbox.messages
            if not await self._finished_at_once(one)
        ]

    async def _finished_at_once(self, one: Delivered) -> bool:
        if one.lease is None or not self._passes_over(one.id):
            return False
        with contextlib.suppress(StaleLeaseError):
            await self._holder.ack(one.id, one.lease.token)
        return True

    async def give_back(self, messages: Sequence[AsyncMessage]) -> None:
        """Let messages that were not begun come again, as if they had never been taken."""
        await self._holder.return_untouched([await message.lose() for message in messages])

    async def close(self) -> None:
        """Nothing is open between two polls."""


class AsyncInbox:
    """An iterator over messages, each acknowledged when the next is asked for.

    An exception that leaves the agent's `async with` (or the inbox's own) gives the current message
    back with the error as the reason. Left by `break`, it gives the message back as it was.
    """

    def __init__(self, consumption: Consumption) -> None:
        self._consumption = consumption
        self._buffer: deque[AsyncMessage] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AsyncMessage:
        consumption = self._consumption
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            soon = self._loop.call_soon_threadsafe
            sigterm.watch(consumption, functools.partial(consumption.drain, soon))
        while self._buffer and self._buffer[0].is_over:  # lost before it was begun
            self._buffer.popleft()
        if self._buffer and not consumption.draining:
            if consumption.current is not None:
                consumption.finish_soon(consumption.current)
        else:
            self._buffer.clear()
            try:
                self._buffer.extend(await consumption.take())
            finally:
                if not self._buffer:
                    sigterm.forget(consumption)
            if not self._buffer:
                raise StopAsyncIteration
        consumption.current = self._buffer.popleft()
        return consumption.current

    async def aclose(self) -> None:
        """End it; what is not finished is given back."""
        await self.__aexit__(None, None, None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        sigterm.forget(self._consumption)
        await self._consumption.close(error)

    def __del__(self) -> None:
        sigterm.forget(self._consumption)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._consumption.leave)


class Inbox:
    """The blocking twin of `AsyncInbox`."""

    def __init__(self, consumption: Consumption) -> None:
        self._consumption = consumption
        self._buffer: deque[AsyncMessage] = deque()
        self._begun = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Message:
        consumption = self._consumption
        if not self._begun:
            self._begun = True
            sigterm.watch(consumption, functools.partial(consumption.drain, portal().soon))
        while self._buffer and self._buffer[0].is_over:  # lost before it was begun
            self._buffer.popleft()
        if self._buffer and not consumption.draining:
            if consumption.current is not None:
                portal().soon(functools.partial(consumption.finish_soon, consumption.current))
        else:
            self._buffer.clear()
            try:
                self._buffer.extend(portal().call(consumption.take()))
            finally:
                if not self._buffer:
                    sigterm.forget(consumption)
            if not self._buffer:
                raise StopIteration
        consumption.current = self._buffer.popleft()
        return Message(consumption.current)

    def close(self) -> None:
        """End it; what is not finished is given back."""
        self.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        sigterm.forget(self._consumption)
        portal().call(self._consumption.close(error))

    def __del__(self) -> None:
        sigterm.forget(self._consumption)
        if self._begun:
            portal().soon(self._consumption.leave)
