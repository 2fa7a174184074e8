"""Calls over HTTP: one session, retries that are safe, problems as exceptions."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import random
import time
import weakref
from collections.abc import Iterable, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self, TypeVar, overload
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
import yarl

from waystation.answers import Problem
from waystation.configuration import Configuration
from waystation.errors import (
    ProblemError,
    UnexpectedAnswerError,
    UnreachableError,
    error_of,
)
from waystation.version import __version__

T = TypeVar("T")

PREFIX: Final = "/api/v1"
_CONNECT_SECONDS: Final = 5
_ANSWER_SECONDS: Final = 30
_FIRST_PAUSE_SECONDS: Final = 0.1
_LONGEST_PAUSE_SECONDS: Final = 5.0
_END_SECONDS: Final = 1.0
_OK: Final = range(200, 300)
_ELSEWHERE: Final = range(300, 400)
_SAID_NOTHING_DONE: Final = frozenset({429, 503})
OF_A_PROXY: Final = frozenset({502, 503, 504})
"""What stands in front of a station says so when the station is away."""
_OWNERLESS: Final = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
"""Failures before anything was sent."""


@dataclass(frozen=True, kw_only=True)
class Retrying:
    """How long to go on where the station is away, busy or out of reach."""

    seconds: float = 30.0
    """From the first failure on; 0 tries once."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """What is asked for."""

    method: str
    path: str
    """Below `prefix`, made by `at`."""
    query: Mapping[str, object] = field(default_factory=dict)
    body: object = None
    repeatable: bool = True
    """Whether to say it twice does no harm, as with an idempotency key or a lease's token."""
    once: bool = False
    """Whether the first answer counts, whatever it is: a probe wants to know how things are now."""
    wait_seconds: float = 0
    """How long the station may keep the answer back."""
    prefix: str = PREFIX


def at(*segments: str) -> str:
    """A path of these segments; an id may hold any character."""
    return "".join(f"/{quote(segment, safe='')}" for segment in segments)


def given(**fields: object) -> dict[str, Any]:
    """The fields that have a value; None stands for left out. `from_` becomes `from`."""
    return {name.rstrip("_"): value for name, value in fields.items() if value is not None}


class Transport:
    """The way to one station, for one caller. It belongs to the event loop that first uses it."""

    def __init__(self, configuration: Configuration, *, retrying: Retrying | None = None) -> None:
        self.configuration = configuration
        self.retrying = retrying or Retrying()
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = os.getpid()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The connections, opened when they are first needed."""
        loop = asyncio.get_running_loop()
        # A loop of its own after a fork: the connections of the other are not this process's.
        if self._session is None or self._session.closed or self._loop is not loop:
            self._loop = loop
            self._process = os.getpid()
            _in_use.add(self)
            headers = {"User-Agent": f"waystation-python/{__version__}"}
            if self.configuration.token:
                headers["Authorization"] = f"Bearer {self.configuration.token}"
            self._session = aiohttp.ClientSession(
                headers=headers,
                trust_env=True,
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            )
        return self._session

    async def close(self) -> None:
        """End the connections. Another call opens them again."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def abandon(self) -> Future[None] | None:
        """End the connections where nobody will: None if there are none, or no loop to do it."""
        session, loop = self._session, self._loop
        if session is None or loop is None or session.closed or not loop.is_running():
            return None
        if self._process != os.getpid():
            return None  # a fork: they are the parent's
        return asyncio.run_coroutine_threadsafe(session.close(), loop)

    def __del__(self) -> None:
        """A script that ends, or drops its station, need not close what it opened."""
        self.abandon()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @overload
    async def ask(self, call: Call, answer: type[T]) -> T: ...
    @overload
    async def ask(self, call: Call, answer: None = None) -> None: ...
    async def ask(self, call: Call, answer: type[T] | None = None) -> T | None:
        """Ask, again where that is safe and may help, and give the answer as its type.

        Raises:
            ProblemError: the station refused, or still could not after `retrying.seconds`.
            UnreachableError: nothing answered.
            UnexpectedAnswerError: what answered is not understood.
        """
        pauses = Pauses(self.retrying.seconds)
        while True:
            try:
                raw = await self._once(call)
            except _Again as again:
                if call.once or not await pauses.take(again.after_seconds):
                    raise again.error from again.__cause__
            else:
                return None if answer is None else _decoded(raw, answer)

    async def _once(self, call: Call) -> bytes:
        url = self.url(call)
        body = None if call.body is None else msgspec.json.encode(call.body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        timeout = aiohttp.ClientTimeout(
            total=None,
            sock_connect=_CONNECT_SECONDS,
            sock_read=call.wait_seconds + _ANSWER_SECONDS,
        )
        try:
            async with self.session.request(
                call.method,
                url,
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,  # a POST would arrive as a GET
            ) as response:
                raw = await response.read()
        except _OWNERLESS as error:
            raise _Again(self._unreachable(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            unreachable = self._unreachable(error)
            if call.repeatable:
                raise _Again(unreachable) from error
            raise unreachable from error
        if response.status in _OK:
            return raw
        refusal = refused(response.status, raw, response.headers)
        if response.status in _SAID_NOTHING_DONE and isinstance(refusal, ProblemError):
            raise _Again(refusal, after_seconds=refusal.retry_after_seconds)
        if response.status in OF_A_PROXY and not isinstance(refusal, ProblemError):
            away = UnreachableError(f"The station is not there: {refusal}")
            if call.repeatable:
                raise _Again(away)
            raise away
        raise refusal

    def url(self, call: Call) -> yarl.URL:
        """Where a call goes."""
        query = urlencode(list(_texts(call.query)), doseq=True)
        text = f"{self.configuration.url}{call.prefix}{call.path}{f'?{query}' if query else ''}"
        return yarl.URL(text, encoded=True)

    def _unreachable(self, error: BaseException) -> UnreachableError:
        return UnreachableError(
            f"The station at {self.configuration.url} did not answer: {_said(error)}."
        )


def _said(error: BaseException) -> str:
    """The cause in a few words, of what aiohttp wraps in many."""
    if isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    if isinstance(error, OSError) and error.errno:
        # The names of hosts have negative numbers of their own.
        said = os.strerror(error.errno) if error.errno > 0 else error.strerror
        return str(said).lower()
    return (str(error) or type(error).__name__).rstrip(".")


_in_use: Final[weakref.WeakSet[Transport]] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    """End what is open at the end of the process, as long as its loop runs."""
    ending = [transport.abandon() for transport in list(_in_use)]
    wait([one for one in ending if one is not None], timeout=_END_SECONDS)


class _Again(Exception):  # noqa: N818 - never leaves this module
    """To ask once more may help."""

    def __init__(
        self,
        error: ProblemError | UnreachableError | UnexpectedAnswerError,
        *,
        after_seconds: float | None = None,
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.after_seconds = after_seconds


class Pauses:
    """Pauses that grow, with full jitter, until the time is used up."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends_at: float | None = None
        self._longest = _FIRST_PAUSE_SECONDS

    async def take(self, at_least: float | None) -> bool:
        """Wait for a while; False where that would take too long. The time runs from here on."""
        now = time.monotonic()
        if self._ends_at is None:
            self._ends_at = now + self._seconds
        pause = random.uniform(0, self._longest)
        if at_least is not None:
            pause += at_least
        if now + pause >= self._ends_at:
            return False
        self._longest = min(self._longest * 2, _LONGEST_PAUSE_SECONDS)
        await asyncio.sleep(pause)
        return True


def refused(
    status: int, raw: bytes, headers: Mapping[str, str]
) -> ProblemError | UnexpectedAnswerError:
    """The exception of an answer that is not a success."""
    if status in _ELSEWHERE and "Location" in headers:
        return UnexpectedAnswerError(
            f"The station is elsewhere: {headers['Location']} Give its URL as it is there."
        )
    try:
        problem = msgspec.json.decode(raw, type=Problem)
    except msgspec.DecodeError:
        said = raw[:200].decode(errors="replace").strip()
        return UnexpectedAnswerError(f"A {status} that is not a station's: {said}")
    retry_after = None
    with contextlib.suppress(ValueError, KeyError):  # a proxy may put a date there
        retry_after = float(headers["Retry-After"])
    return error_of(problem, retry_after_seconds=retry_after)


def _decoded(raw: bytes, answer: type[T]) -> T:
    try:
        return msgspec.json.decode(raw, type=answer)
    except msgspec.DecodeError as error:
        raise UnexpectedAnswerError(f"The answer is not what a station says: {error}.") from error


def _texts(query: Mapping[str, object]) -> Iterable[tuple[str, object]]:
    for name, value in query.items():
        if value is None:
            continue
        if isinstance(value, bool):
            yield name, "true" if value else "false"
        elif isinstance(value, (list, tuple, set, frozenset)):
            if value:
                yield name, ",".join(str(one) for one in value)
        elif isinstance(value, datetime):
            yield name, value.isoformat()
        elif isinstance(value, float):
            yield name, f"{value:f}"  # a short time would else be written as 5e-05
        else:
            yield name, value
