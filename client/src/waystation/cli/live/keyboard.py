"""Keys as they are pressed: the terminal neither waits for a line nor echoes meanwhile."""

from __future__ import annotations

import os
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Final

_READ: Final = 64
_CHARACTERS: Final = 6
"""Where a terminal's attributes have the characters that are more than text."""


class Key(Enum):
    """What a pressed key means."""

    QUIT = auto()
    SORT = auto()
    UP = auto()
    DOWN = auto()


_KEYS: Final = (
    (b"\x1b[A", Key.UP),
    (b"\x1bOA", Key.UP),
    (b"\x1b[B", Key.DOWN),
    (b"\x1bOB", Key.DOWN),
    (b"k", Key.UP),
    (b"j", Key.DOWN),
    (b"s", Key.SORT),
    (b"q", Key.QUIT),
)


@contextmanager
def keys_at_once() -> Iterator[int]:
    """The file descriptor of the keyboard, whose terminal is put back at the end."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        _without_suspending(descriptor)
        yield descriptor
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _without_suspending(descriptor: int) -> None:
    """Let Ctrl-Z mean nothing: the shell would come back in the middle of the picture."""
    attributes = termios.tcgetattr(descriptor)
    attributes[_CHARACTERS][termios.VSUSP] = bytes([os.fpathconf(descriptor, "PC_VDISABLE")])
    termios.tcsetattr(descriptor, termios.TCSADRAIN, attributes)


def pressed(descriptor: int) -> list[Key]:
    """The keys that were pressed since; a keyboard that is gone says quit."""
    try:
        typed = os.read(descriptor, _READ)
    except OSError:
        typed = b""
    return list(keys_of(typed)) if typed else [Key.QUIT]


def keys_of(typed: bytes) -> Iterator[Key]:
    """What was typed, key by key; others mean nothing."""
    while typed:
        for sequence, key in _KEYS:
            if typed.startswith(sequence):
                yield key
                typed = typed[len(sequence) :]
                break
        else:
            typed = typed[1:]
