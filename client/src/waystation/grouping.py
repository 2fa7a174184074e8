"""Concurrent calls share a request: while one is on its way, the next ones gather."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

AT_MOST: Final = 1000
"""How many the station takes in one request."""
_BYTES_AT_MOST: Final = 4 * 1024 * 1024

Item = TypeVar("Item")
Result = TypeVar("Result")

Together = Callable[[Sequence[Item]], Awaitable[Sequence[Result | Exception]]]
"""Asks for all of these in one request, and gives what became of each, in order."""


class Grouping(Generic[Item, Result]):
    """Gathers what is asked for concurrently, without holding anything back.

    What comes while nothing is on its way leaves at once; what comes meanwhile leaves together,
    in order, bounded in number and in bytes.
    """

    def __init__(
        self, together: Together[Item, Result], *, size: Callable[[Item], int] = lambda _: 0
    ) -> None:
        self._together = together
        self._size = size
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._sending: asyncio.Task[None] | None = None

    def submit(self, item: Item) -> asyncio.Future[Result]:
        """Ask for one; the future has what becomes of it."""
        loop = asyncio.get_running_loop()
        if self._sending is not None and self._sending.get_loop() is not loop:
            # In another process or loop than the one that began: that one keeps what waits there.
            self._waiting.clear()
            self._sending = None
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        if self._sending is None:
            self._sending = loop.create_task(self._send())
        return future

    async def _send(self) -> None:
        try:
            while group := self._gathered():
                await self._send_group(group)
        finally:
            self._sending = None

    def _gathered(self) -> list[tuple[Item, asyncio.Future[Result]]]:
        group: list[tuple[Item, asyncio.Future[Result]]] = []
        size = 0
        while self._waiting and len(group) < AT_MOST:
            item, future = self._waiting[0]
            size += self._size(item)
            if group and size > _BYTES_AT_MOST:
                break
            self._waiting.popleft()
            if not future.cancelled():  # nobody waits for it any more
                group.append((item, future))
        return group

    async def _send_group(self, group: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._together([item for item, _ in group])
        except BaseException as error:
            for _, future in group:
                if not future.done():
                    if isinstance(error, Exception):
                        future.set_exception(error)
                    else:
                        future.cancel()
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), result in zip(group, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
