"""One agent, for callers that block: whatever it does, it does under its own name."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, Unpack

from waystation.async_agent import AsyncAgent
from waystation.blocking import Blocking, blocking, portal
from waystation.draining import sigterm
from waystation.inbox import Inbox
from waystation.message import AsyncMessage, Message
from waystation.options import About, Looping, Pushed, Receiving
from waystation.station import Station

__all__ = ["Agent", "AsyncAgent"]


class Agent(Blocking[AsyncAgent]):
    """The blocking twin of `AsyncAgent`."""

    def __init__(self, agent_id: str | None = None, **about: Unpack[About]) -> None:
        """`agent_id` else comes from the environment or a profile."""
        super().__init__(AsyncAgent(agent_id, **about))
        self.id = self._core.id
        self.station = Station.of(self._core.station)

    @property
    def epoch(self) -> int | None:
        """The agent's session, if it has one of its own."""
        return self._core.epoch

    @property
    def draining(self) -> bool:
        """Whether its loops are to end: `drain` or a signal has said so."""
        return self._core.draining

    send = blocking(AsyncAgent.send)
    send_many = blocking(AsyncAgent.send_many)
    ask = blocking(AsyncAgent.ask)
    reply = blocking(AsyncAgent.reply)
    peek = blocking(AsyncAgent.peek)
    join = blocking(AsyncAgent.join)
    leave = blocking(AsyncAgent.leave)
    close = blocking(AsyncAgent.close)
    _start = blocking(AsyncAgent.start)
    _end = blocking(AsyncAgent.end)

    def inbox(self, **looping: Unpack[Looping]) -> Inbox:
        """Loop over the messages as they come; each next step acknowledges the one before.

        An exception that leaves the agent's context gives the message back with the error as the
        reason. The loop outlives a station that restarts, and ends after SIGTERM.
        """
        return Inbox(self._core.open_inbox(**looping))

    def stream(self, **pushed: Unpack[Pushed]) -> Inbox:
        """The same loop over messages that the station pushes, over a WebSocket.

        It connects again after a drop. An `exclusive` agent holds what it has meanwhile; of others
        it is given back at once, and comes again.
        """
        return Inbox(self._core.open_stream(**pushed))

    def receive(self, **receiving: Unpack[Receiving]) -> Message | None:
        """Lease one message; None where none comes in time.

        `with message:` acknowledges it at the end, and keeps its lease meanwhile.
        """
        found = portal().call(self._core.receive(**receiving))
        return None if found is None else Message(found)

    def run(
        self,
        handler: Callable[[Message], object],
        *,
        concurrency: int = 1,
        **looping: Unpack[Looping],
    ) -> None:
        """Have each message handled, so many at a time, until the loop ends or SIGTERM comes.

        A message whose handler raises is given back with the error, and the others go on. With a
        `concurrency` above 1 the handlers run on threads of their own.
        """
        with ThreadPoolExecutor(concurrency, thread_name_prefix="waystation") as threads:

            async def handled(message: AsyncMessage) -> None:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(threads, handler, Message(message))

            drain = functools.partial(self._core.drain_by, portal().soon)
            sigterm.watch(handled, drain)
            try:
                portal().call(self._core.run(handled, concurrency=concurrency, **looping))
            finally:
                sigterm.forget(handled)

    def drain(self) -> None:
        """Have every loop of this agent end after its current message; later ones end at once."""
        self._core.drain_by(portal().soon)

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(error)
