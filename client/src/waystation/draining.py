"""SIGTERM while a loop runs: it ends after the message that is worked on."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

Drain = Callable[[], object]
"""Asks a loop to end; may be called at any moment, and returns at once."""


class _Sigterm:
    """The process's handler for SIGTERM, while there is a loop to end.

    It is set only where the program has none of its own, and only from the main thread, as Python
    has it. The first signal puts back what was before, so that a second one ends the process.
    """

    def __init__(self) -> None:
        self._drains: dict[object, Drain] = {}

    def watch(self, loop: object, drain: Drain) -> None:
        """Have `drain` called; `loop` is what it is known by."""
        if threading.current_thread() is not threading.main_thread():
            return
        current = signal.getsignal(signal.SIGTERM)
        if current not in (signal.SIG_DFL, self._handle):
            return
        self._drains[loop] = drain  # before the handler is there, which may be called at once
        signal.signal(signal.SIGTERM, self._handle)

    def forget(self, loop: object) -> None:
        """The loop has ended."""
        self._drains.pop(loop, None)
        if not self._drains and threading.current_thread() is threading.main_thread():
            self._put_back()

    def _handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - what Python calls
        self._put_back()
        drains = list(self._drains.values())
        if not drains:  # the last loop ended elsewhere than in the main thread
            os.kill(os.getpid(), number)
        for drain in drains:
            drain()

    def _put_back(self) -> None:
        if signal.getsignal(signal.SIGTERM) == self._handle:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


sigterm = _Sigterm()
"""The one of this process."""
