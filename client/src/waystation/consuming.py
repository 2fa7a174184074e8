"""Working through messages one after the other: what all loops and sources have in common."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from waystation.errors import (
    ClaimDoneError,
    ClaimHeldError,
    NotClaimableError,
    WaystationError,
)
from waystation.message import AsyncMessage
from waystation.patience import PASSES, Patience

_ROUND_SECONDS: Final = 30.0
"""How long one call waits for a message; the next one goes on waiting."""
_LEFT_SECONDS: Final = 0.25
"""A loop may have been left by an exception, which the agent's context is about to see."""
_TAKEN: Final = (ClaimHeldError, ClaimDoneError, NotClaimableError)

_log = logging.getLogger(__name__)


class Source(Protocol):
    """Where messages come from."""

    async def more(self, at_most: int, wait_seconds: float) -> Sequence[AsyncMessage]:
        """More messages, leased; none, where none came in time."""

    async def give_back(self, messages: Sequence[AsyncMessage]) -> None:
        """Let messages that were not begun come again, as if they had never been taken."""

    async def close(self) -> None:
        """There is no more to come; what was not finished has been given back."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """When a loop ends by itself, and how it takes messages."""

    limit: int | None = None
    """After so many messages."""
    idle_seconds: float | None = None
    """When for so long none has come."""
    prefetch: int = 1
    """How many may be leased at once: the one that is worked on, and those that wait for it."""
    claim: bool = True
    """Whether to claim what is offered to several, and pass over what another has."""

    def __post_init__(self) -> None:
        """Refuse what can't be meant."""
        if self.prefetch < 1:
            raise ValueError("prefetch is how many messages are leased at once: 1 at least.")


class Consumption:
    """One pass through the messages of a source, until its terms or somebody end it.

    It outlives a station that restarts: it goes on trying, and says so once. Whatever is not worth
    another try ends it. Messages are kept by extending their leases from the moment they come.
    """

    def __init__(
        self,
        source: Source,
        terms: Terms,
        *,
        on_close: Callable[[Consumption], object],
        patient: bool = True,
        draining: bool = False,
    ) -> None:
        """Without patience the first failure ends it."""
        self.current: AsyncMessage | None = None
        """What is being worked on; finished when the next is asked for."""
        self.draining = draining
        self._source = source
        self._terms = terms
        self._on_close = on_close
        self._patient = patient
        self._ready: deque[AsyncMessage] = deque()
        self._held: dict[str, AsyncMessage] = {}
        self._given = 0
        self._fetching: asyncio.Task[Sequence[AsyncMessage]] | None = None
        self._settling: set[asyncio.Task[None]] = set()
        self._failure: BaseException | None = None
        self._closing: asyncio.Task[None] | None = None
        self._patience = Patience()

    async def take(self, at_most: int | None = None) -> Sequence[AsyncMessage]:
        """Finish the current message, and give the next that are there, at least one.

        None at the end. `at_most` stands in for the prefetch.
        """
        try:
            if self._closing is None:
                await self._finish_current()
                if batch := await self._next(at_most or self._terms.prefetch):
                    return batch
            await self.close()
            if self._failure is not None:
                raise self._failure
        except WaystationError:
            await self.close()
            raise
        return ()

    def finish_soon(self, message: AsyncMessage) -> None:
        """Acknowledge it in the background, unless it was finished by hand."""
        self._held.pop(message.id, None)
        if message.is_over:
            return
        task = asyncio.get_running_loop().create_task(self.finish(message))
        self._settling.add(task)
        task.add_done_callback(self._settled)

    async def finish(self, message: AsyncMessage, error: Exception | None = None) -> None:
        """Acknowledge it, or give it back with the error, as soon as the station can."""
        while True:
            try:
                await message.settle(error)
            except PASSES as hindrance:
                if self._closing is not None or self.draining:
                    _log.warning(
                        "%s could not be finished; it comes again: %s", message.id, hindrance
                    )
                    return
                await self._patience.pause(hindrance)
            else:
                self._patience.renew()
                return

    def entrust(self, message: AsyncMessage) -> None:
        """Somebody else sees to the end of this message."""
        self._held.pop(message.id, None)

    def drain(self, soon: Callable[[Callable[[], object]], object]) -> None:
        """End after the current message; returns at once.

        `soon` has something called on the event loop's thread, as is to be done from any other.
        """
        self.draining = True
        soon(self._stop_fetching)

    def _stop_fetching(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()

    def fail(self, error: Exception) -> None:
        """End after the current message, by raising this."""
        self._failure = self._failure or error
        self.draining = True
        self._stop_fetching()

    def leave(self) -> None:
        """The loop over it was left; if nobody says with what error, all is given back."""
        if self._closing is None:
            loop = asyncio.get_running_loop()
            loop.call_later(_LEFT_SECONDS, self._begin_to_close, None)

    async def close(self, error: BaseException | None = None) -> None:
        """End it: the error is the current message's; what was not begun is given back."""
        await asyncio.shield(self._begin_to_close(error))

    # --- taking ------------------------------------------------------------------------------

    async def _finish_current(self) -> None:
        message, self.current = self.current, None
        if message is None:
            return
        if self._terms.prefetch > 1:
            self.finish_soon(message)
        else:
            self._held.pop(message.id, None)
            await self.finish(message)

    async def _next(self, at_most: int) -> Sequence[AsyncMessage]:
        while not (self.draining or self._failure or self._is_enough()):
            if not self._ready:
                self._ready.extend(await self._fetched(at_most))
            if not self._ready:
                break
            if batch := await self._begun():
                self._given += len(batch)
                return batch
        return ()

    def _is_enough(self) -> bool:
        return self._terms.limit is not None and self._given >= self._terms.limit

    async def _begun(self) -> Sequence[AsyncMessage]:
        """The next ones that are ours already; or one that was to be claimed, if it could be."""
        if not (self._terms.claim and self._ready[0].claimable):
            ours = []
            while self._ready and not (self._terms.claim and self._ready[0].claimable):
                ours.append(self._ready.popleft())
            return ours
        offer = self._ready.popleft()
        try:
            await offer.claim()
        except _TAKEN:
            del self._held[offer.id]
            return ()
        await offer.keep()
        return (offer,)

    async def _fetched(self, at_most: int) -> Sequence[AsyncMessage]:
        if self._terms.limit is not None:
            at_most = min(at_most, self._terms.limit - self._given)
        self._fetching = asyncio.get_running_loop().create_task(self._fetch(at_most))
        try:
            found = await self._fetching
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self.draining and not (task and task.cancelling()):
                return ()
            raise
        finally:
            self._fetching = None
        for message in found:
            self._held[message.id] = message
            await message.keep()
        return found

    async def _fetch(self, at_most: int) -> Sequence[AsyncMessage]:
        loop = asyncio.get_running_loop()
        idle = self._terms.idle_seconds
        ends_at = None if idle is None else loop.time() + idle
        while True:
            left = _ROUND_SECONDS if ends_at is None else max(0.0, ends_at - loop.time())
            try:
                found = await self._source.more(at_most, min(left, _ROUND_SECONDS))
            except PASSES as error:
                if not self._patient:
                    raise
                await self._patience.pause(error)
            else:
                self._patience.renew()
                if found or (ends_at is not None and loop.time() >= ends_at):
                    return found

    # --- ending ------------------------------------------------------------------------------

    def _settled(self, task: asyncio.Task[None]) -> None:
        self._settling.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._failure = self._failure or error

    def _begin_to_close(self, error: BaseException | None) -> asyncio.Task[None]:
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(self._close(error))
        return self._closing

    async def _close(self, error: BaseException | None) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
        current, self.current = self.current, None
        if current is not None:
            self._held.pop(current.id, None)
        try:
            if current is not None and not current.is_over:
                await self._part_with(current, error)
            await self._give_back_rest()
            if self._settling:
                await asyncio.wait(self._settling)
        finally:
            await self._source.close()
            self._on_close(self)

    async def _part_with(self, message: AsyncMessage, error: BaseException | None) -> None:
        if error is not None:
            await message.settle(error)
            return
        _log.warning(
            "%s is given back, because the loop was left in the middle of it. To be done with it,"
            " call its ack() before leaving the loop, or have the loop end by limit=.",
            message.id,
        )
        await message.part("the loop was left in the middle of it")

    async def _give_back_rest(self) -> None:
        rest = [message for message in self._held.values() if not message.is_over]
        self._held.clear()
        self._ready.clear()
        await self._source.give_back(rest)
