"""Walks directories that anybody may have written, bounded in depth, number and time.

Symbolic links are never followed, by opening each directory from its parent's descriptor; only
regular files are read, and only small ones; a directory that is met twice (a bind mount) is entered
once.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from broker.directory.discovery.description import (
    Description,
    UnreadableDescriptionError,
    described,
)

FILES: Final = ("AGENTS.md", "CLAUDE.md")
"""What describes an agent; where both do, the first is asked first."""
WORKTREE: Final = "git worktree"

_SKIPPED: Final = frozenset({"node_modules", "__pycache__", "venv", "site-packages"})
_GIT: Final = ".git"
_BRANCH: Final = re.compile(r"ref: refs/heads/([^\x00-\x20\x7f~^:?*\[\\]{1,200})\s*\Z")
_GITDIR: Final = re.compile(r"gitdir: (.{1,4000})\s*\Z")
_MAX_PROBLEMS: Final = 100


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far a walk goes."""

    depth: int = 6
    entries: int = 50_000
    seconds: float = 10.0
    file_bytes: int = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Place:
    """A directory in which an agent can work, and what is said of that agent."""

    path: str
    description: Description
    sources: tuple[str, ...]
    branch: str | None = None


@dataclass(frozen=True, kw_only=True)
class Obstacle:
    """What could not be looked at."""

    path: str
    reason: str


@dataclass(kw_only=True)
class Findings:
    """What a walk found; not `complete` if it ended at a limit."""

    places: list[Place] = field(default_factory=list)
    obstacles: list[Obstacle] = field(default_factory=list)
    complete: bool = True


class _SpentError(Exception):
    """A limit of the whole walk is reached."""


def walk(
    roots: tuple[Path, ...],
    limits: Limits = Limits(),
    *,
    now: Callable[[], float] = time.monotonic,
) -> Findings:
    """Look for agents under these directories; `now` is in seconds."""
    return _Walk(limits, now).through(roots)


class _Walk:
    """One walk: what it has found, and how much of its limits is left."""

    def __init__(self, limits: Limits, now: Callable[[], float]) -> None:
        self._limits = limits
        self._now = now
        self._deadline = now() + limits.seconds
        self._entries = 0
        self._entered: set[tuple[int, int]] = set()
        self._findings = Findings()

    def through(self, roots: tuple[Path, ...]) -> Findings:
        """Walk through all roots, as far as the limits go."""
        try:
            for root in roots:
                self._enter(str(root), None, str(root), self._limits.depth)
        except _SpentError as spent:
            self._findings.complete = False
            self._note(str(spent), "the search ended here, at its limit")
        return self._findings

    def _enter(self, name: str, parent: int | None, path: str, depth: int) -> None:
        try:
            # The root itself may be a link, for an operator named it; nothing below it may.
            beneath = os.O_NOFOLLOW if parent is not None else 0
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | beneath, dir_fd=parent)
        except OSError as error:
            self._note(path, f"can't be opened ({error.strerror})")
            return
        try:
            seen = os.fstat(descriptor)
            if (seen.st_dev, seen.st_ino) not in self._entered:
                self._entered.add((seen.st_dev, seen.st_ino))
                self._look_around(descriptor, path, depth)
        finally:
            os.close(descriptor)

    def _look_around(self, descriptor: int, path: str, depth: int) -> None:
        names = list(self._names(descriptor, path))
        self._look_at_place(descriptor, path, {name for name, _ in names})
        for name, is_directory in names:
            if not is_directory or name.startswith(".") or name in _SKIPPED:
                continue
            if depth > 0:
                self._enter(name, descriptor, f"{path}/{name}", depth - 1)

    def _names(self, descriptor: int, path: str) -> Iterator[tuple[str, bool]]:
        """The entries of a directory, sorted, and whether each is a directory of its own."""
        found = []
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    self._spend(path)
                    # What can't be written as text can't be an agent's directory.
                    with suppress(OSError, UnicodeEncodeError):
                        entry.name.encode()
                        found.append((entry.name, entry.is_dir(follow_symlinks=False)))
        except OSError as error:
            self._note(path, f"can't be listed ({error.strerror})")
        yield from sorted(found)

    def _spend(self, path: str) -> None:
        self._entries += 1
        if self._entries > self._limits.entries or self._now() > self._deadline:
            raise _SpentError(path)

    def _look_at_place(self, descriptor: int, path: str, names: set[str]) -> None:
        description = Description()
        sources: list[str] = []
        for name in FILES:
            if name in names:
                said = self._description(name, descriptor, f"{path}/{name}")
                if said is not None:
                    description = description.filled_by(said)
                    sources.append(name)
        branch = None
        if _GIT in names:
            branch = self._branch(descriptor)
            sources.append(WORKTREE)
        if sources:
            self._findings.places.append(
                Place(path=path, description=description, sources=tuple(sources), branch=branch)
            )

    def _description(self, name: str, descriptor: int, path: str) -> Description | None:
        try:
            return described(self._read(name, descriptor).decode())
        except OSError as error:
            self._note(path, error.strerror or "can't be read")
        except UnicodeDecodeError:
            self._note(path, "is not UTF-8 text")
        except UnreadableDescriptionError as error:
            self._note(path, str(error))
        return None

    def _branch(self, descriptor: int) -> str | None:
        """The branch that is checked out, by git's own files.

        The git program is not asked: it runs what the configuration of a repository names.
        """
        with suppress(OSError, UnicodeDecodeError, ValueError):
            try:
                head = self._read(f"{_GIT}/HEAD", descriptor)
            except NotADirectoryError:  # a linked worktree, whose .git says where its files are
                gitdir = _GITDIR.match(self._read(_GIT, descriptor).decode())
                if gitdir is None:
                    return None
                head = self._read(f"{gitdir[1].strip()}/HEAD", descriptor)
            branch = _BRANCH.match(head.decode())
            return branch[1] if branch else None
        return None

    def _read(self, name: str, directory: int) -> bytes:
        """The bytes of a small regular file. Raises `OSError`."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=directory)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise OSError(0, "is not a regular file")
            most = self._limits.file_bytes
            contents = file.read(most + 1)
            if status.st_size > most or len(contents) > most:
                raise OSError(0, f"is larger than {most} bytes")
            return contents

    def _note(self, path: str, reason: str) -> None:
        if len(self._findings.obstacles) < _MAX_PROBLEMS:
            shown = path.encode("utf-8", "replace").decode()
            self._findings.obstacles.append(Obstacle(path=shown, reason=reason))
