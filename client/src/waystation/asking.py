"""Asking and waiting for the answer (SPEC M10)."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from typing import Final

from waystation.answers import Reply
from waystation.errors import TicketTimeoutError, WaystationError
from waystation.holding import HttpHolder
from waystation.patience import PASSES, Patience

TIMEOUT_SECONDS: Final = 600.0
_ROUND_SECONDS: Final = 30.0
_REMEMBERED: Final = 10_000
_TIDIED_AT_ONCE: Final = 8
_RESPONSE: Final = "response"


class Answers:
    """The replies that an agent waited for.

    A reply also lies in the asker's inbox, as a message. Whoever got it from here has read it, so
    the agent's loops pass over it; and it is taken from the inbox where that disturbs nobody.
    """

    def __init__(self, holder: HttpHolder) -> None:
        self._holder = holder
        self._given: OrderedDict[str, None] = OrderedDict()
        self._tidying: asyncio.Task[None] | None = None

    def knows(self, message_id: str) -> bool:
        """Whether this message is a reply that its asker has got."""
        return message_id in self._given

    async def wait(self, ticket_id: str, *, timeout_seconds: float) -> Reply:
        """The first reply of a ticket. Raises `TicketTimeoutError`."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + timeout_seconds
        patience = Patience()
        while True:
            left = max(0.0, ends_at - loop.time())
            try:
                found = await self._holder.station.tickets.wait(
                    ticket_id, timeout_seconds=min(left, _ROUND_SECONDS)
                )
            except PASSES as error:
                if loop.time() >= ends_at:
                    raise
                await patience.pause(error)
                continue
            if found.replies:
                self._note(found.replies[0])
                return found.replies[0]
            if found.status == "timeout" or loop.time() >= ends_at:
                raise TicketTimeoutError(ticket_id)

    async def close(self) -> None:
        """Let what is being taken from the inbox be taken."""
        if self._tidying is not None:
            await self._tidying
            await self._tidy()

    def _note(self, reply: Reply) -> None:
        self._given[reply.id] = None
        while len(self._given) > _REMEMBERED:
            self._given.popitem(last=False)
        if self._tidying is None or self._tidying.done():
            self._tidying = asyncio.get_running_loop().create_task(self._tidy())

    async def _tidy(self) -> None:
        """Take replies that were given from the front of the inbox's responses.

        Only what stands first can be leased without leasing what is not meant.
        """
        with contextlib.suppress(WaystationError):  # then a loop passes over it, or it expires
            for _ in range(_TIDIED_AT_ONCE):
                if not await self._first_is_given():
                    return
                inbox = await self._holder.station.messages.fetch(
                    self._holder.agent_id, limit=1, kinds=[_RESPONSE], epoch=self._holder.epoch
                )
                for one in inbox.messages:
                    if one.lease is None:
                        continue
                    if self.knows(one.id):
                        await self._holder.ack(one.id, one.lease.token)
                    else:  # another came between the look and the lease
                        await self._holder.nack(
                            one.id,
                            one.lease.token,
                            reason="it is for another reader of this inbox",
                            delay_seconds=0,
                            permanent=False,
                        )

    async def _first_is_given(self) -> bool:
        inbox = await self._holder.station.messages.fetch(
            self._holder.agent_id, limit=1, kinds=[_RESPONSE], peek=True, epoch=self._holder.epoch
        )
        return any(self.knows(one.id) for one in inbox.messages)
