"""What files said before we changed them, so that it can be said again to the letter."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from waystation.connect.files import replace


@dataclass(frozen=True, kw_only=True)
class Record:
    """One file, before and after."""

    original: str | None
    """None where there was no file."""
    written: str
    """The SHA-256 of what we wrote."""

    def is_untouched(self, text: str | None) -> bool:
        """Whether the file says what we wrote."""
        return text is not None and _digest(text) == self.written


class Ledger:
    """Records under `~/.local/state/waystation/connect`, each readable by its owner only.

    An original may hold whatever its file did, secrets too.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def recall(self, path: Path) -> Record | None:
        """The record of a file; None where there is none that can be read."""
        try:
            document = json.loads(self.place_of(path).read_text(encoding="utf-8"))
            return Record(original=document["original"], written=document["written"])
        except (OSError, ValueError, KeyError):
            return None

    def remember(self, path: Path, *, original: str | None, written: str) -> None:
        """Keep what a file said, before it is changed."""
        document = {"path": str(path), "original": original, "written": _digest(written)}
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace(self.place_of(path), json.dumps(document, indent=2) + "\n")

    def forget(self, path: Path) -> None:
        """Drop the record of a file."""
        self.place_of(path).unlink(missing_ok=True)

    def place_of(self, path: Path) -> Path:
        """Where the record of a file is."""
        name = hashlib.sha256(os.fsencode(os.path.realpath(path))).hexdigest()[:20]
        return self._directory / f"{name}.json"


def state_directory(environ: Mapping[str, str]) -> Path:
    """Where programs of this user keep what they know (`XDG_STATE_HOME`)."""
    base = environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "waystation"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
