"""One agent, asynchronously: whatever it does, it does under its own name."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, Unpack, cast

from waystation.answers import Accepted, Channel, Delivered, Reply, Responded
from waystation.asking import TIMEOUT_SECONDS, Answers
from waystation.configuration import configured
from waystation.consuming import Consumption, Source, Terms
from waystation.draining import sigterm
from waystation.errors import ConfigurationError, ProblemError, StaleEpochError
from waystation.holding import HttpHolder
from waystation.inbox import AsyncInbox, Polling
from waystation.message import LEASE_SECONDS, AsyncMessage
from waystation.options import About, Choice, Ending, Looping, Pushed, Receiving, Session
from waystation.presence import HEARTBEAT_SECONDS, Heartbeat
from waystation.resources.messages import SendOptions, Target, draft
from waystation.sending import Sending
from waystation.station import AsyncStation
from waystation.stream import Streaming

_WAIT_SECONDS: Final = 20.0

_log = logging.getLogger(__name__)


class AsyncAgent:
    """An agent at a station.

    As a context manager it registers, and in the end gives back what its loops hold.
    """

    def __init__(self, agent_id: str | None = None, **about: Unpack[About]) -> None:
        """`agent_id` else comes from the environment or a profile."""
        profile: dict[str, Any] = dict(about)
        session = {name: profile.pop(name) for name in _SESSION if name in profile}
        found = session.get("configuration") or configured(
            url=session.get("url"),
            agent=agent_id,
            token=session.get("token"),
            profile=session.get("profile"),
        )
        name = agent_id or found.agent
        if name is None:
            raise ConfigurationError(
                "No agent is named: give its id, set WAYSTATION_AGENT, or name it in a profile."
            )
        self.id: str = name
        self.station = AsyncStation(configuration=found, retrying=session.get("retrying"))
        self._profile = profile
        self._registers = session.get("register", True)
        self._instance_id = uuid.uuid4().hex if session.get("exclusive") else None
        self._holder = HttpHolder(self.station, name)
        self._sending = Sending(self.station.transport)
        self._answers = Answers(self._holder)
        self._heartbeat = Heartbeat(
            self._holder,
            instance_id=self._instance_id,
            every_seconds=session.get("heartbeat_seconds", HEARTBEAT_SECONDS) or 0,
            on_superseded=self._superseded,
        )
        self._draining = False
        self._open: set[Consumption] = set()
        self._process = os.getpid()

    @property
    def epoch(self) -> int | None:
        """The agent's session, if it has one of its own."""
        return self._holder.epoch

    @property
    def draining(self) -> bool:
        """Whether its loops are to end: `drain` or a signal has said so."""
        return self._draining

    # --- sending -----------------------------------------------------------------------------

    async def send(
        self, to: Target, body: str | None = None, **options: Unpack[SendOptions]
    ) -> Accepted:
        """Send a message; when this returns it is on the station's disk."""
        return await self._sending.send(draft(self.id, to, body, self._signed(options)))

    async def send_many(
        self, messages: Iterable[Mapping[str, Any]]
    ) -> Sequence[Accepted | ProblemError]:
        """Send any number of messages, many at once; what became of each, in order.

        Each has `to`, a `body` or `payload`, and whatever else `send` takes by keyword.
        Raises `UnreachableError` if the station stays away.
        """
        return await self._sending.send_many(self._drafts(messages))

    async def ask(
        self, to: Target, body: str | None = None, **options: Unpack[SendOptions]
    ) -> Reply:
        """Send a question, and wait for the first reply to it.

        `timeout_seconds` (600) is how long the question stands. The reply also comes as a message;
        this agent's loops pass over it, and it is taken from the inbox where it stands first.
        Raises `TicketTimeoutError`.
        """
        timeout_seconds = options.setdefault("timeout_seconds", TIMEOUT_SECONDS)
        options["expects_reply"] = True
        sent = await self.send(to, body, **options)
        return await self._answers.wait(sent.id, timeout_seconds=timeout_seconds)

    async def reply(self, ticket_id: str, response: Any) -> Responded:  # noqa: ANN401 - any JSON but null
        """Answer a question that was got before; its copy in the inbox is finished.

        Raises `TicketNotFoundError`.
        """
        if self.epoch is None:
            return await self.station.tickets.reply(ticket_id, response, agent_id=self.id)
        return await self.station.tickets.reply(
            ticket_id, response, agent_id=self.id, epoch=self.epoch
        )

    # --- receiving ---------------------------------------------------------------------------

    def inbox(self, **looping: Unpack[Looping]) -> AsyncInbox:
        """Loop over the messages as they come; each next step acknowledges the one before.

        An exception that leaves the agent's context gives the message back with the error as the
        reason. The loop outlives a station that restarts, and ends after SIGTERM.
        """
        return AsyncInbox(self.open_inbox(**looping))

    def stream(self, **pushed: Unpack[Pushed]) -> AsyncInbox:
        """The same loop over messages that the station pushes, over a WebSocket.

        It connects again after a drop. An `exclusive` agent holds what it has meanwhile; of others
        it is given back at once, and comes again.
        """
        return AsyncInbox(self.open_stream(**pushed))

    async def receive(self, **receiving: Unpack[Receiving]) -> AsyncMessage | None:
        """Lease one message; None where none comes in time.

        `async with message:` acknowledges it at the end, and keeps its lease meanwhile.
        """
        wait_seconds = receiving.pop("wait_seconds", _WAIT_SECONDS)
        terms = Terms(limit=1, idle_seconds=wait_seconds, claim=receiving.get("claim", True))
        consumption = self.consume(self._polling(receiving), terms, patient=False)
        try:
            for message in await consumption.take():
                consumption.entrust(message)
                await message.let_be()
                return message
        finally:
            await consumption.close()
        return None

    async def peek(
        self,
        *,
        limit: int | None = None,
        kinds: Sequence[str] = (),
        min_priority: str | int | None = None,
    ) -> Sequence[Delivered]:
        """Look at the first messages that wait, without leasing them."""
        inbox = await self.station.messages.fetch(
            self.id,
            limit=limit,
            kinds=kinds,
            min_priority=min_priority,
            peek=True,
            epoch=self.epoch,
        )
        return inbox.messages

    async def run(
        self,
        handler: Callable[[AsyncMessage], Awaitable[object]],
        *,
        concurrency: int = 1,
        **looping: Unpack[Looping],
    ) -> None:
        """Have each message handled, so many at a time, until the loop ends or SIGTERM comes.

        A message whose handler raises is given back with the error, and the others go on.
        """
        consumption = self.open_inbox(**looping)
        soon = asyncio.get_running_loop().call_soon_threadsafe
        sigterm.watch(consumption, functools.partial(consumption.drain, soon))
        handling: set[asyncio.Task[None]] = set()
        try:
            while batch := await consumption.take(concurrency - len(handling)):
                for message in batch:
                    consumption.entrust(message)
                    work = _handle(handler, message, consumption)
                    handling.add(asyncio.get_running_loop().create_task(work))
                while len(handling) >= concurrency:
                    _, handling = await asyncio.wait(handling, return_when=asyncio.FIRST_COMPLETED)
                handling = {task for task in handling if not task.done()}
            if handling:
                await asyncio.wait(handling)
        finally:
            sigterm.forget(consumption)
            for task in handling:
                task.cancel()
            if handling:
                await asyncio.wait(handling)
            await consumption.close()

    def drain(self) -> None:
        """Have every loop of this agent end after its current message; later ones end at once."""
        self.drain_by(lambda stop: stop())

    def drain_by(self, soon: Callable[[Callable[[], object]], object]) -> None:
        """The same from any thread: `soon` has something called on that of the event loop."""
        self._draining = True
        for consumption in list(self._open):
            consumption.drain(soon)

    # --- channels ----------------------------------------------------------------------------

    async def join(self, channel_id: str) -> Channel:
        """Join a public channel. Raises `ChannelNotFoundError`."""
        return await self.station.channels.join(channel_id, agent_id=self.id)

    async def leave(self, channel_id: str) -> None:
        """Leave a channel. Raises `ConflictError` for its owner."""
        await self.station.channels.leave(channel_id, agent_id=self.id)

    # --- being there -------------------------------------------------------------------------

    async def start(self) -> None:
        """Register; entering the context does it."""
        if not self._registers:
            return
        enrolled = await self.station.agents.register(
            self.id, instance_id=self._instance_id, **self._profile
        )
        if self._instance_id:
            self._holder.epoch = enrolled.agent.epoch
        if self._heartbeat.every_seconds:
            self._heartbeat.start()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.end(error)

    async def close(self) -> None:
        """Give back what its loops hold, and end the connections."""
        await self.end(None)

    async def end(self, error: BaseException | None) -> None:
        """Give back what its loops hold; the error, if any, is that of the current messages.

        Leaving the context does it.
        """
        if os.getpid() != self._process:
            return  # a fork of the process that holds it all
        try:
            self._heartbeat.stop()
            closing = [consumption.close(error) for consumption in list(self._open)]
            await asyncio.gather(*closing, self._answers.close())
        finally:
            await self.station.close()

    def consume(self, source: Source, terms: Terms, *, patient: bool = True) -> Consumption:
        """A pass through the messages of a source, which ends with the agent."""
        consumption = Consumption(
            source, terms, patient=patient, on_close=self._open.discard, draining=self._draining
        )
        self._open.add(consumption)
        return consumption

    def open_inbox(self, **looping: Unpack[Looping]) -> Consumption:
        """What a loop over the inbox stands on."""
        terms = _terms(looping, claim=looping.get("claim", True))
        return self.consume(self._polling(looping), terms)

    def open_stream(self, **pushed: Unpack[Pushed]) -> Consumption:
        """What a loop over pushed messages stands on."""
        terms = _terms(pushed, claim=pushed.get("claim", True))
        source = Streaming(
            self._holder,
            credit=terms.prefetch,
            lease_seconds=pushed.get("lease_seconds", LEASE_SECONDS),
            instance_id=self._instance_id,
            passes_over=self._answers.knows,
        )
        return self.consume(source, terms)

    def _polling(self, choice: Choice) -> Polling:
        return Polling(
            self._holder,
            lease_seconds=choice.get("lease_seconds", LEASE_SECONDS),
            kinds=choice.get("kinds", ()),
            min_priority=choice.get("min_priority"),
            passes_over=self._answers.knows,
        )

    def _drafts(self, messages: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        for message in messages:
            said = dict(message)
            to, body = said.pop("to", None), said.pop("body", None)
            yield draft(self.id, to, body, self._signed(cast(SendOptions, said)))

    def _signed(self, options: SendOptions) -> SendOptions:
        if self.epoch is not None:
            options.setdefault("epoch", self.epoch)
        return options

    def _superseded(self, error: StaleEpochError) -> None:
        for consumption in list(self._open):
            consumption.fail(error)


_SESSION: Final = tuple(Session.__annotations__)


def _terms(ending: Ending, *, claim: bool) -> Terms:
    return Terms(
        limit=ending.get("limit"),
        idle_seconds=ending.get("idle_seconds"),
        prefetch=ending.get("prefetch", 1),
        claim=claim,
    )


async def _handle(
    handler: Callable[[AsyncMessage], Awaitable[object]],
    message: AsyncMessage,
    consumption: Consumption,
) -> None:
    try:
        await handler(message)
    except Exception as error:  # noqa: BLE001 - the handler's, for whatever reason
        _log.warning("The handler of %s raised; it is given back.", message.id, exc_info=error)
        await consumption.finish(message, error)
    except BaseException as error:
        await message.settle(error)
        raise
    else:
        await consumption.finish(message)
