"""What of a configuration file is ours: it is put in, recognised, and taken back out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from waystation.connect.documents import KeyPath, Notation, UnreadableError, found


class Part(Protocol):
    """One piece of a file that is ours."""

    def put(self, text: str, notation: Notation) -> str:
        """The text with the piece, once."""

    def take_back(self, text: str, notation: Notation, original: dict[str, Any]) -> str:
        """The text without the piece, and with what `original` had in its place."""


@dataclass(frozen=True, kw_only=True)
class Member:
    """A value at a path."""

    path: KeyPath
    value: object

    def put(self, text: str, notation: Notation) -> str:
        """The text with the value. Keys that others added to it stay (Codex keeps approvals there).

        An entry without a command is of a server that is reached otherwise: ours replaces it.
        """
        old = found(notation.read(text), self.path)
        if isinstance(self.value, dict) and not (isinstance(old, dict) and "command" in old):
            text = notation.remove(text, self.path)
        return notation.put(text, self.path, self.value)

    def take_back(self, text: str, notation: Notation, original: dict[str, Any]) -> str:
        """The text as it was at the path."""
        if found(notation.read(text), self.path) is None:
            return text  # what is empty around it is the user's
        text = notation.remove(text, self.path)
        before = found(original, self.path)
        if before is not None:
            return notation.put(text, self.path, before)
        return _without_empty(text, self.path[:-1], notation, original)


@dataclass(frozen=True, kw_only=True)
class Element:
    """One element of the array at a path."""

    path: KeyPath
    value: object
    is_ours: Callable[[Any], bool]
    """Recognises it, also as an earlier call wrote it."""

    def put(self, text: str, notation: Notation) -> str:
        """The text with the element, in place of what was ours before."""
        present = found(notation.read(text), self.path)
        if isinstance(present, list) and self.value in present:
            return text
        return notation.append(self._without(text, notation, []), self.path, self.value)

    def take_back(self, text: str, notation: Notation, original: dict[str, Any]) -> str:
        """The text without the element, unless it was there from the first."""
        kept = found(original, self.path)
        rest = self._without(text, notation, kept if isinstance(kept, list) else [])
        if rest == text:
            return text  # what is empty around it is the user's
        return _without_empty(rest, self.path, notation, original)

    def _without(self, text: str, notation: Notation, kept: Sequence[Any]) -> str:
        present = found(notation.read(text), self.path)
        if not isinstance(present, list):
            return text
        for index in reversed(range(len(present))):
            if self.is_ours(present[index]) and present[index] not in kept:
                text = notation.drop(text, self.path, index)
        return text


def connected(text: str, parts: Sequence[Part], notation: Notation) -> str:
    """The text with all parts; the same text where it has them.

    Raises:
        UnreadableError: it is not of the notation.
        UnchangeableError: a part can't be put in.
    """
    text = text if text.strip(" \t\r\n\ufeff") else notation.empty
    for part in parts:
        text = part.put(text, notation)
    return text


def disconnected(
    text: str, parts: Sequence[Part], notation: Notation, original: str | None = None
) -> str:
    """The text without the parts, whatever else has changed in it since.

    Args:
        text: the file as it is.
        parts: what may be ours in it; their values mean nothing here.
        notation: how it is written.
        original: the file as it was before we came; None where that is not known.

    Raises:
        UnreadableError: it is not of the notation.
        UnchangeableError: a part can't be taken out.
    """
    values = _values(original, notation)
    for part in reversed(parts):
        text = part.take_back(text, notation, values)
    return text


def _values(original: str | None, notation: Notation) -> dict[str, Any]:
    try:
        return notation.read(original) if original and original.strip() else {}
    except UnreadableError:
        return {}


def _without_empty(text: str, path: KeyPath, notation: Notation, original: dict[str, Any]) -> str:
    """The text without the containers on a path that are empty now and were not there before."""
    while path and found(original, path) is None and found(notation.read(text), path) in ({}, []):
        text = notation.remove(text, path)
        path = path[:-1]
    return text
