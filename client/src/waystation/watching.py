"""A watch: what happens at the station, by server-sent events that resume (SPEC T3)."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from types import TracebackType
from typing import Final, Self

import aiohttp
import msgspec

from waystation.answers import Event
from waystation.blocking import Blocking, portal
from waystation.errors import (
    ProblemError,
    TooManyError,
    UnavailableError,
    UnexpectedAnswerError,
    UnreachableError,
    WaystationError,
)
from waystation.server_sent_events import Parser
from waystation.transport import OF_A_PROXY, Call, Transport, refused

_SILENCE_SECONDS: Final = 45
"""The station says something every 15 seconds."""
_CONNECT_SECONDS: Final = 5
_LONGEST_PAUSE_SECONDS: Final = 5.0
_FIRST_PAUSE_SECONDS: Final = 0.1
_OK: Final = 200


class WatchedEvent(Event, kw_only=True, frozen=True):
    """An event with its place; `watch(after=event.id)` goes on behind it. A `gap` has none."""

    id: str | None = None


class AsyncWatch:
    """Events as they happen; iterate over it, and close it (or use it as a context manager).

    A connection that drops is opened again, and goes on behind what was told last: nothing is lost
    or told twice. An event named `gap` says that the station no longer kept some. Nothing is read
    ahead of whoever iterates, beyond what a connection holds.
    """

    def __init__(self, transport: Transport, call: Call, *, follow: bool) -> None:
        self._transport = transport
        self._call = call
        self._follow = follow
        self._parser = Parser()
        self._response: aiohttp.ClientResponse | None = None
        self._told: deque[WatchedEvent] = deque()
        self._away_since: float | None = None
        self._pause = _FIRST_PAUSE_SECONDS
        self._is_over = False
        self.position: str | None = None
        """How far it has got: behind the last event that was taken."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> WatchedEvent:
        """The next event.

        Raises:
            ProblemError: the caller may not watch, or not any more.
            UnreachableError: the station was away for longer than `retrying.seconds`.
        """
        event = await self.next()
        if event is None:
            raise StopAsyncIteration
        return event

    async def next(self) -> WatchedEvent | None:
        """The next event, or None at the end; raises as iterating does."""
        while not self._told:
            if self._is_over:
                return None
            try:
                await self._read()
            except (ProblemError, UnreachableError, UnexpectedAnswerError) as error:
                self._drop()
                await self._come_back(error)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self._drop()
                said = str(error) or type(error).__name__
                url = self._transport.configuration.url
                away = UnreachableError(f"The station at {url} did not answer: {said}")
                await self._come_back(away)
        event = self._told.popleft()
        self.position = event.id or self.position
        return event

    async def close(self) -> None:
        """Watch no longer."""
        self._is_over = True
        self._told.clear()
        self._drop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # --- the connection --------------------------------------------------------------------------

    async def _read(self) -> None:
        """Take what has come."""
        if self._response is None:
            self._response = await self._connect()
        chunk = await self._response.content.readany()
        if not chunk:
            self._drop()
            if not self._follow:
                self._is_over = True
                return
            # It ends a stream when it stops, or when the caller may not watch any more: the next
            # answer says which.
            raise UnreachableError(f"The station at {self._transport.configuration.url} hung up.")
        for frame in self._parser.feed(chunk):
            if frame.data:
                self._told.append(_event(frame.data, frame.id))
        self._away_since = None
        self._pause = _FIRST_PAUSE_SECONDS

    async def _connect(self) -> aiohttp.ClientResponse:
        headers = {"Accept": "text/event-stream"}
        if self._parser.last_id:
            headers["Last-Event-ID"] = self._parser.last_id
        response = await self._transport.session.get(
            self._transport.url(self._call),
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS
            ),
        )
        try:
            refusal = await self._refusal(response)
        except BaseException:
            response.close()
            raise
        if refusal is not None:
            response.close()
            raise refusal
        # What was begun before the drop comes again, whole.
        self._parser = Parser(self._parser.last_id)
        return response

    async def _refusal(self, response: aiohttp.ClientResponse) -> WaystationError | None:
        """Why this is not a stream of events, if it is none."""
        if response.status != _OK:
            refusal = refused(response.status, await response.read(), response.headers)
            if response.status in OF_A_PROXY and isinstance(refusal, UnexpectedAnswerError):
                return UnreachableError(str(refusal))
            return refusal
        if response.content_type != "text/event-stream":
            return UnexpectedAnswerError(f"Not a stream of events: {response.content_type}.")
        return None

    def _drop(self) -> None:
        if self._response is not None:
            self._response.close()
            self._response = None

    async def _come_back(self, error: Exception) -> None:
        """Wait for a while before another try; raises the error where none would help."""
        after = 0.0
        if isinstance(error, ProblemError):
            if not isinstance(error, (UnavailableError, TooManyError)):
                raise error
            after = error.retry_after_seconds or 0.0
        elif isinstance(error, UnexpectedAnswerError):
            raise error
        now = time.monotonic()
        self._away_since = now if self._away_since is None else self._away_since
        pause = after + random.uniform(0, self._pause)
        if now + pause >= self._away_since + self._transport.retrying.seconds:
            raise error
        self._pause = min(self._pause * 2, _LONGEST_PAUSE_SECONDS)
        await asyncio.sleep(pause)


class Watch(Blocking[AsyncWatch]):
    """The blocking twin of `AsyncWatch`."""

    @property
    def position(self) -> str | None:
        """How far it has got: behind the last event that was taken."""
        return self._core.position

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> WatchedEvent:
        """The next event; raises as that of `AsyncWatch` does."""
        event = portal().call(self._core.next())
        if event is None:
            raise StopIteration
        return event

    def close(self) -> None:
        """Watch no longer."""
        portal().call(self._core.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _event(data: bytes, position: str) -> WatchedEvent:
    try:
        event = msgspec.json.decode(data, type=WatchedEvent)
    except msgspec.DecodeError as error:
        raise UnexpectedAnswerError(f"The event is not what a station tells: {error}.") from error
    return event if event.event == "gap" else msgspec.structs.replace(event, id=position)
