"""The blocking twin of what is written once, asynchronously.

Everything runs on one event loop, on a background thread of the process: so leases are extended
while the caller's own code blocks. `blocking` gives a method the signature of its original.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Concatenate, Final, Generic, ParamSpec, Self, TypeVar, overload

A = TypeVar("A")
P = ParamSpec("P")
T = TypeVar("T")

_SIGNAL_SECONDS: Final = 0.5
"""How long a signal may go unnoticed."""


class Portal:
    """An event loop on a thread of its own, for callers on other threads.

    Callers that come while the loop is busy are let in together: to wake it costs more than to
    run most of what they ask for.
    """

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._entering: deque[Callable[[], object]] = deque()
        self._woken = False
        self._thread = threading.Thread(target=self._run, name="waystation", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def soon(self, callback: Callable[[], object]) -> None:
        """Have it called on the loop's thread; returns at once."""
        self._entering.append(callback)
        if not self._woken:
            self._woken = True
            self.loop.call_soon_threadsafe(self._enter)

    def _enter(self) -> None:
        self._woken = False  # before the queue is emptied: who comes now wakes the loop again
        while self._entering:
            self._entering.popleft()()

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run it there, and wait for what it gives or raises.

        Interrupted by the keyboard or a signal's handler, what runs there is cancelled.
        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("The blocking client can't be used within its own event loop.")
        errand = _Errand(coroutine)
        self.soon(functools.partial(errand.start, self.loop))
        try:
            return _waited_for(errand.outcome)
        except BaseException:
            self.loop.call_soon_threadsafe(errand.cancel)
            raise


def _waited_for(outcome: Future[T]) -> T:
    """What it gives or raises, as soon as it is there."""
    if threading.current_thread() is not threading.main_thread():
        return outcome.result()
    # Python runs signal handlers in the main thread. A signal that comes in the moment before a
    # wait begins does not interrupt it: its handler would run only once the wait is over.
    while not outcome.done():
        with contextlib.suppress(TimeoutError):
            return outcome.result(timeout=_SIGNAL_SECONDS)
    return outcome.result()


class _Errand(Generic[T]):
    """A coroutine that runs on the loop, and what comes of it."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.outcome: Future[T] = Future()
        self._coroutine = coroutine
        self._task: asyncio.Task[T] | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._task = loop.create_task(self._coroutine)
        self._task.add_done_callback(self._done)

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _done(self, task: asyncio.Task[T]) -> None:
        if task.cancelled():
            self.outcome.cancel()
        elif error := task.exception():
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(task.result())


@functools.cache
def portal() -> Portal:
    """The one of this process, started when it is first needed."""
    return Portal()


os.register_at_fork(after_in_child=portal.cache_clear)


class Blocking(Generic[A]):
    """The blocking twin of an `A`, which it wraps."""

    def __init__(self, core: A) -> None:
        self._core = core


class blocking(Generic[A, P, T]):  # noqa: N801 - used like a decorator
    """A method of a blocking twin: the same as `method` of its core, waited for."""

    def __init__(self, method: Callable[Concatenate[A, P], Awaitable[T]]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    @overload
    def __get__(self, twin: None, kind: type[Blocking[A]]) -> Self: ...
    @overload
    def __get__(self, twin: Blocking[A], kind: type[Blocking[A]]) -> Callable[P, T]: ...
    def __get__(self, twin: Blocking[A] | None, kind: type[Blocking[A]]) -> Self | Callable[P, T]:
        """The method, bound to the twin."""
        if twin is None:
            return self
        core = twin._core  # noqa: SLF001 - the twin's own descriptor

        @functools.wraps(self._method)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            return portal().call(_awaited(self._method(core, *args, **kwargs)))

        return call


async def _awaited(awaitable: Awaitable[T]) -> T:
    return await awaitable
