"""Reads files, and replaces them in one step."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Final

from waystation.errors import WaystationError

_OWNERS_ALONE: Final = 0o600


class FileError(WaystationError):
    """A file can't be read or written; the sentence names it."""


def read(path: Path) -> str | None:
    """What a file says, its line ends as they are; None where there is none.

    Raises:
        FileError: it can't be read, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not UTF-8, at byte {error.start}.") from error
    except OSError as error:
        raise FileError(f"{path} can't be read: {error.strerror}.") from error


def replace(path: Path, text: str, *, mode: int | None = None) -> None:
    """Give a file a new text, wholly or not at all; what reads it sees the old or the new.

    A symbolic link stays one: what it points to is replaced. The mode stays, unless one is given; a
    new file is its owner's alone, for clients keep secrets in some of them.

    Raises:
        FileError: it can't be written.
    """
    place = Path(os.path.realpath(path))
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if mode is None:
            mode = stat.S_IMODE(place.stat().st_mode) if place.exists() else _OWNERS_ALONE
        handle, name = tempfile.mkstemp(prefix=f".{place.name}.", dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(mode)
            Path(name).replace(place)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise FileError(f"{path} can't be written: {error.strerror}.") from error
