"""The files that make a connection: some are ours in part, some as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from waystation.connect.documents import Notation, UnchangeableError
from waystation.connect.parts import Part, connected, disconnected


class Target(Protocol):
    """A file that a connection changes. Texts are None where there is no file."""

    @property
    def path(self) -> Path:
        """Where it is."""

    def connected(self, text: str | None) -> str:
        """What it says with the connection.

        Raises:
            UnreadableError: it is broken.
            UnchangeableError: it can't be changed without harm.
        """

    def disconnected(self, text: str | None, original: str | None, *, is_known: bool) -> str | None:
        """What it says without the connection.

        Args:
            text: as it is.
            original: as it was before we came.
            is_known: whether `original` is; else it means nothing.

        Raises:
            UnreadableError: it is broken.
            UnchangeableError: it can't be changed without harm.
        """

    @property
    def snippet(self) -> str:
        """What to write into it by hand."""


@dataclass(frozen=True, kw_only=True)
class SharedFile:
    """A file of the user's, with parts that are ours."""

    path: Path
    notation: Notation
    parts: tuple[Part, ...]

    def connected(self, text: str | None) -> str:
        """The file with our parts."""
        return connected(text or "", self.parts, self.notation)

    def disconnected(self, text: str | None, original: str | None, *, is_known: bool) -> str | None:
        """The file without our parts; no file where we made it and nothing else has come in."""
        if text is None:
            return None
        if not text.strip():
            return text
        rest = disconnected(text, self.parts, self.notation, original if is_known else None)
        if is_known and rest != text and not self.notation.read(rest):
            return original
        return rest

    @property
    def snippet(self) -> str:
        """Our parts alone."""
        return connected("", self.parts, self.notation)


@dataclass(frozen=True, kw_only=True)
class OwnFile:
    """A file that is ours as a whole; its first line says so."""

    path: Path
    text: str

    def connected(self, text: str | None) -> str:
        """Our text."""
        if text is not None and not self._is_ours(text):
            raise UnchangeableError("A file of this name is there already, and it is not ours.")
        return self.text

    def disconnected(self, text: str | None, original: str | None, *, is_known: bool) -> str | None:
        """No file, unless it is not ours."""
        del original, is_known
        return None if text is None or self._is_ours(text) else text

    @property
    def snippet(self) -> str:
        """Our text."""
        return self.text

    def _is_ours(self, text: str) -> bool:
        return text.splitlines()[:1] == self.text.splitlines()[:1]
