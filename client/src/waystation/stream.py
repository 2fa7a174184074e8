"""Messages pushed over a WebSocket that comes back after a drop (SPEC T2)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import msgspec

from waystation.answers import (
    Claimed,
    Delivered,
    Extended,
    Lease,
    Read,
    Rejected,
    Released,
    Renewed,
    Responded,
    State,
)
from waystation.connection import Connection
from waystation.errors import ProblemError, StaleLeaseError, UnreachableError, WaystationError
from waystation.holding import HttpHolder
from waystation.message import AsyncMessage
from waystation.patience import PASSES, Patience
from waystation.transport import Pauses, given

T = TypeVar("T")

_log = logging.getLogger(__name__)

_SHORTEST_LEASE_SECONDS: Final = 1.0


class StreamHolder:
    """An agent that asks by frames where there is a connection, and else by requests.

    What is finished by a frame frees its credit: the station may push the next message.
    """

    def __init__(self, http: HttpHolder) -> None:
        self.connection: Connection | None = None
        self.http = http

    async def ack(self, message_id: str, lease_token: str) -> State:
        """Finish a message."""
        frame = _frame("ack", id=message_id, lease_token=lease_token)
        return await self._say(frame, State, lambda: self.http.ack(message_id, lease_token))

    async def nack(
        self,
        message_id: str,
        lease_token: str,
        *,
        reason: str | None,
        delay_seconds: float | None,
        permanent: bool,
    ) -> Rejected:
        """Give a message back, for later or for good."""
        frame = _frame(
            "nack",
            id=message_id,
            lease_token=lease_token,
            reason=reason,
            delay_seconds=delay_seconds,
            permanent=permanent or None,
        )
        return await self._say(
            frame,
            Rejected,
            lambda: self.http.nack(
                message_id,
                lease_token,
                reason=reason,
                delay_seconds=delay_seconds,
                permanent=permanent,
            ),
        )

    async def extend(self, message_id: str, lease_token: str, seconds: float) -> Lease:
        """Have a lease end so long from now."""
        frame = _frame("extend", id=message_id, lease_token=lease_token, seconds=seconds)

        async def otherwise() -> Extended:
            lease = await self.http.extend(message_id, lease_token, seconds)
            return Extended(id=message_id, lease=lease)

        return (await self._say(frame, Extended, otherwise)).lease

    async def reply(self, message_id: str, lease_token: str, response: Any) -> Responded:  # noqa: ANN401 - any JSON
        """Answer a message, and finish it."""
        frame = _frame("reply", id=message_id, lease_token=lease_token, response=response)
        return await self._say(
            frame, Responded, lambda: self.http.reply(message_id, lease_token, response)
        )

    async def claim(self, message_id: str, seconds: float | None) -> Claimed:
        """Take what is offered to several."""
        frame = _frame("claim", id=message_id, claim_seconds=seconds)
        return await self._say(frame, Claimed, lambda: self.http.claim(message_id, seconds))

    async def renew(self, message_id: str, lease_token: str, seconds: float) -> Lease:
        """Have a claim end so long from now."""
        frame = _frame("renew", id=message_id, lease_token=lease_token, seconds=seconds)

        async def otherwise() -> Renewed:
            claim = await self.http.renew(message_id, lease_token, seconds)
            return Renewed(id=message_id, claim=claim)

        return (await self._say(frame, Renewed, otherwise)).claim

    async def release(self, message_id: str, lease_token: str) -> Released:
        """Offer what was claimed to all again."""
        frame = _frame("release", id=message_id, lease_token=lease_token)
        return await self._say(frame, Released, lambda: self.http.release(message_id, lease_token))

    async def read(self, message_id: str) -> Read:
        """Note that a message was read."""
        return await self.http.read(message_id)

    async def _say(
        self,
        frame: Mapping[str, object],
        answer: type[T],
        otherwise: Callable[[], Awaitable[T]],
    ) -> T:
        pauses = Pauses(self.http.station.transport.retrying.seconds)
        while self.connection is not None:
            try:
                return msgspec.json.decode(await self.connection.ask(frame), type=answer)
            except UnreachableError:
                break
            except PASSES as error:
                after = error.retry_after_seconds if isinstance(error, ProblemError) else None
                if not await pauses.take(after):
                    raise
        return await otherwise()


class Streaming:
    """The inbox as a station pushes it, as many unfinished at a time as there is credit.

    After a drop it connects again. With `instance_id` what it holds stays its own meanwhile;
    without, the station gives all of it back at once, so that it comes again.
    """

    def __init__(
        self,
        http: HttpHolder,
        *,
        credit: int,
        lease_seconds: float,
        instance_id: str | None,
        passes_over: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._holder = StreamHolder(http)
        self._http = http
        self._credit = credit
        self._lease_seconds = lease_seconds
        self._instance_id = instance_id
        self._passes_over = passes_over
        self._pushed: deque[AsyncMessage] = deque()
        self._held: dict[str, AsyncMessage] = {}
        self._changed = asyncio.Event()
        self._failure: WaystationError | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._passing: set[asyncio.Task[None]] = set()

    async def more(self, at_most: int, wait_seconds: float) -> Sequence[AsyncMessage]:
        """What was pushed; none, where none came in time."""
        if self._connecting is None:
            self._connecting = asyncio.get_running_loop().create_task(self._stay_connected())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds):
                while not (self._pushed or self._failure):
                    self._changed.clear()
                    await self._changed.wait()
        if self._pushed:
            return [self._pushed.popleft() for _ in range(min(at_most, len(self._pushed)))]
        if self._failure is not None:
            raise self._failure
        return ()

    async def give_back(self, messages: Sequence[AsyncMessage]) -> None:
        """Messages that were not begun; without an instance the end of the connection does it."""
        untouched = [await message.lose() for message in messages]
        if self._instance_id is not None:
            await self._http.return_untouched(untouched)

    async def close(self) -> None:
        """End the connection."""
        self._pushed.clear()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])

    # --- the connection ----------------------------------------------------------------------

    async def _stay_connected(self) -> None:
        patience = Patience()
        while True:
            try:
                connection = await self._connect()
                patience.renew()
                await self._served(connection)
                hindrance: WaystationError = UnreachableError("The WebSocket was closed.")
            except PASSES as error:
                hindrance = error
            except WaystationError as error:
                self._failure = error
                self._changed.set()
                return
            await self._dropped()
            await patience.pause(hindrance)

    async def _connect(self) -> Connection:
        hello = given(credit=self._credit, instance_id=self._instance_id, epoch=self._http.epoch)
        station = self._http.station
        try:
            return await Connection.open(station.transport, self._http.agent_id, hello, self._take)
        except UnreachableError:
            # A handshake that was refused does not say by which problem; a look at the inbox does.
            await station.messages.fetch(self._http.agent_id, limit=1, peek=True)
            raise

    async def _served(self, connection: Connection) -> None:
        self._holder.connection = connection
        try:
            await connection.ended()
        finally:
            self._holder.connection = None
            await connection.close()

    async def _dropped(self) -> None:
        if self._instance_id is not None:
            return
        self._pushed.clear()
        for message in list(self._held.values()):
            if not message.is_over:
                _log.warning("The WebSocket dropped: %s went back to the inbox.", message.id)
                await message.lose()
        self._held.clear()

    def _take(self, delivered: Delivered) -> None:
        self._held = {key: one for key, one in self._held.items() if not one.is_over}
        known = self._held.get(delivered.id)
        if known is not None and known.lease == delivered.lease:
            return  # pushed again after a drop: it is being worked on
        if self._passes_over(delivered.id) and delivered.lease is not None:
            work = self._pass_over(delivered.id, delivered.lease.token)
            task = asyncio.get_running_loop().create_task(work)
            self._passing.add(task)
            task.add_done_callback(self._passing.discard)
            return
        message = AsyncMessage(
            delivered,
            self._holder,
            lease_seconds=self._lasts(delivered),
            leased_at=asyncio.get_running_loop().time(),
            extend_by=self._lease_seconds,
        )
        self._held[delivered.id] = message
        self._pushed.append(message)
        self._changed.set()

    def _lasts(self, delivered: Delivered) -> float:
        """How long the station has leased it for: its clock against ours, within reason."""
        if delivered.lease is None:
            return self._lease_seconds
        left = (delivered.lease.expires_at - datetime.now(UTC)).total_seconds()
        return min(max(left, _SHORTEST_LEASE_SECONDS), self._lease_seconds)

    async def _pass_over(self, message_id: str, lease_token: str) -> None:
        with contextlib.suppress(StaleLeaseError, UnreachableError):
            await self._holder.ack(message_id, lease_token)


def _frame(kind: str, **fields: object) -> Mapping[str, object]:
    return {"type": kind, **given(**fields)}
