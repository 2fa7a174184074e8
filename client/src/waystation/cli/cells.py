"""How a value reads: for people in a terminal, and for programs in a pipe."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400
_KEPT: Final = frozenset("\n\t")
_HIDDEN: Final = frozenset({"Cc", "Cf"})
"""Control characters, and those that reorder or hide text."""


def printable(text: str) -> str:
    """Text that can't steer a terminal: others wrote it."""
    if text.isprintable():
        return text
    text = text.replace("\r\n", "\n")
    return "".join(
        character
        if character in _KEPT or unicodedata.category(character) not in _HIDDEN
        else character.encode("unicode_escape").decode()
        for character in text
    )


def json_text(value: object) -> str:
    """Data as JSON; nothing, where there is none."""
    return "" if value is None else msgspec.json.encode(value).decode()


def plain(value: object) -> str:
    """A value on one line, whole, for a program to read."""
    return _text(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def readable(value: object, *, now: datetime | None = None) -> str:
    """A value for a person."""
    if isinstance(value, datetime):
        return ago(value, now=now or datetime.now(UTC))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(_text(value))


def ago(moment: datetime, *, now: datetime) -> str:
    """How far a moment is from now, roughly."""
    seconds = (now - moment).total_seconds()
    far = span(abs(seconds))
    return f"{far} ago" if seconds >= 0 else f"in {far}"


def span(seconds: float) -> str:
    """A duration in its largest unit."""
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < _DAY:
        return f"{seconds / _HOUR:.0f} h"
    return f"{seconds / _DAY:.0f} d"


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return str(msgspec.to_builtins(value))
    if isinstance(value, Mapping | msgspec.Struct):
        return json_text(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_text(one) for one in value)
    return str(value)
