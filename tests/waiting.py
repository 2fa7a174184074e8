"""Waiting for what other processes do: on a condition, with a deadline, never for a fixed time."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_POLL_SECONDS = 0.02


def until(condition: Callable[[], T | None], *, within: float, what: str) -> T:
    """Return the first true answer of the condition.

    Raises:
        AssertionError: naming what didn't come true within the time.
    """
    deadline = time.monotonic() + within
    pause = threading.Event()
    while True:
        if answer := condition():
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} seconds: {what}")
        pause.wait(_POLL_SECONDS)
