"""What connecting or disconnecting changes: worked out first, shown, and written only then."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from waystation.connect import files
from waystation.connect.documents import UnchangeableError, UnreadableError
from waystation.connect.ledger import Ledger
from waystation.connect.targets import Target
from waystation.errors import WaystationError


class ConnectError(WaystationError):
    """A file stands in the way of a connection; nothing was changed."""

    def __init__(self, path: Path, why: str, snippet: str | None = None) -> None:
        by_hand = f"\nWrite this into it by hand:\n\n{snippet}" if snippet else ""
        super().__init__(f"{path}: {why}{by_hand}")
        self.path = path
        self.snippet = snippet
        """What to write into the file by hand; None where it must be mended first."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One file, before and after; None where there is none."""

    path: Path
    before: str | None
    after: str | None
    original: str | None
    """What taking it back would leave."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return self.before == self.after

    def diff(self) -> list[str]:
        """The lines of a unified diff."""
        before, after = (
            "/dev/null" if text is None else str(self.path) for text in (self.before, self.after)
        )
        lines = difflib.unified_diff(
            (self.before or "").splitlines(keepends=True),
            (self.after or "").splitlines(keepends=True),
            before,
            after,
        )
        return [
            line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
            for line in lines
        ]


def connecting(targets: Sequence[Target], ledger: Ledger) -> list[Change]:
    """What connecting would change.

    Raises:
        ConnectError: a file is broken, or can't be changed without harm to the rest.
        FileError: one can't be read.
    """
    return [_change(target, ledger, connects=True) for target in targets]


def disconnecting(targets: Sequence[Target], ledger: Ledger) -> list[Change]:
    """What disconnecting would change.

    Raises:
        ConnectError: a file is broken, or can't be changed without harm to the rest.
        FileError: one can't be read.
    """
    return [_change(target, ledger, connects=False) for target in targets]


def write(changes: Sequence[Change], ledger: Ledger) -> None:
    """Write the changes, each file in one step.

    Raises:
        ConnectError: a file has changed since the plan was made.
        FileError: one can't be written.
    """
    for change in changes:
        if files.read(change.path) != change.before:
            raise ConnectError(change.path, "it has changed just now; look again.")
    for change in changes:
        if change.after == change.original:
            _write(change)
            ledger.forget(change.path)
        elif change.after is not None:
            ledger.remember(change.path, original=change.original, written=change.after)
            _write(change)


def _write(change: Change) -> None:
    if change.is_empty:
        return
    if change.after is None:
        change.path.unlink(missing_ok=True)
    else:
        files.replace(change.path, change.after)


def _change(target: Target, ledger: Ledger, *, connects: bool) -> Change:
    text = files.read(target.path)
    try:
        original = _original(target, text, ledger)
        after = target.connected(text) if connects else original
    except UnreadableError as error:
        raise ConnectError(target.path, f"{error}. Mend it first.") from error
    except UnchangeableError as error:
        snippet = target.snippet if connects else None
        raise ConnectError(target.path, str(error), snippet) from error
    return Change(path=target.path, before=text, after=after, original=original)


def _original(target: Target, text: str | None, ledger: Ledger) -> str | None:
    """What the file would say had we never come: to the letter where nobody touched it since."""
    record = ledger.recall(target.path)
    if record is None:
        return target.disconnected(text, None, is_known=False)
    if record.is_untouched(text):
        return record.original
    return target.disconnected(text, record.original, is_known=True)
