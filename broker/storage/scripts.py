"""Lua transitions: loaded from `*.lua` files, called with arguments by name.

A script's file is its interface. Its header says what it does and which outcomes it can have, its
first lines name keys and arguments, and this loader reads them all from there:

    -- Lease the first messages of an inbox.
    -- outcomes: leased, stale_epoch
    local inbox, leased = unpack(KEYS)
    local limit = unpack(ARGV)
    -- include: delivery

An include stands where its line stands, so it sees the names above it; it says which it expects.
A script that takes lists gets them behind the named ones: `more_keys`, `more_args`. It returns
`{outcome, value...}`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

Argument = str | bytes | int | float

_INCLUDES: Final = Path(__file__).parent / "lua" / "includes"
_OUTCOMES: Final = re.compile(r"^-- outcomes: (?P<names>[a-z_, ]+)$", re.MULTILINE)
_INCLUDE: Final = re.compile(r"^-- include: (?P<name>[a-z_]+)$", re.MULTILINE)
_KEYS: Final = re.compile(r"^local (?P<names>[a-z_0-9, \n]+?)\s*=\s*unpack\(KEYS\)$", re.MULTILINE)
_ARGS: Final = re.compile(r"^local (?P<names>[a-z_0-9, \n]+?)\s*=\s*unpack\(ARGV\)$", re.MULTILINE)


class ScriptError(Exception):
    """A script and its caller do not agree; a defect in the code, never in the data."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a transition came to: one of the names that its file declares, and its values."""

    name: str
    values: tuple[object, ...] = ()


def whole(value: object) -> int:
    """A number among an outcome's values, which come as integers or digits; 0 for none."""
    return int(value) if isinstance(value, int | bytes | str) else 0


def _names(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    found = pattern.search(text)
    if found is None:
        return ()
    return tuple(name.strip() for name in found["names"].split(","))


def _expanded(source: str, included: set[str]) -> str:
    """The source with its includes, and theirs, where their lines stand; each once."""

    def text_of(line: re.Match[str]) -> str:
        if line["name"] in included:
            return ""
        included.add(line["name"])
        return _expanded((_INCLUDES / f"{line['name']}.lua").read_text(), included)

    return _INCLUDE.sub(text_of, source)


def _bounded(source: str, pattern: re.Pattern[str]) -> str:
    """The source, its first lines unpacking no more than they name.

    Lua cannot unpack more than 8,000 values, and a script with lists may well be given more.
    """
    found = pattern.search(source)
    if found is None:
        return source
    line = found[0]
    count = len(_names(pattern, source))
    return source.replace(line, f"{line.removesuffix(')')}, 1, {count})", 1)


class Script:
    """One atomic transition."""

    def __init__(self, name: str, source: str) -> None:
        self.name = name
        self.outcomes = frozenset(_names(_OUTCOMES, source))
        self.key_names = _names(_KEYS, source)
        self.argument_names = _names(_ARGS, source)
        if not self.outcomes:
            raise ScriptError(f"{name}.lua declares no outcomes")
        self.text = _expanded(_bounded(_bounded(source, _KEYS), _ARGS), set())
        self.sha = hashlib.sha1(self.text.encode()).hexdigest()  # noqa: S324 - the hash that EVALSHA is defined by

    @classmethod
    def load(cls, folder: Path, name: str) -> Script:
        """The script of the file `<folder>/<name>.lua`."""
        return cls(name, (folder / f"{name}.lua").read_text())

    def bind(
        self,
        *,
        keys: Mapping[str, str],
        args: Mapping[str, Argument],
        more_keys: Sequence[str] = (),
        more_args: Sequence[Argument] = (),
    ) -> Call:
        """A call of this script, its names checked against the file."""
        if tuple(keys) != self.key_names and set(keys) != set(self.key_names):
            raise ScriptError(f"{self.name}.lua takes keys {self.key_names}, not {tuple(keys)}")
        if tuple(args) != self.argument_names and set(args) != set(self.argument_names):
            raise ScriptError(
                f"{self.name}.lua takes arguments {self.argument_names}, not {tuple(args)}"
            )
        return Call(
            script=self,
            keys=(*(keys[name] for name in self.key_names), *more_keys),
            args=(*(args[name] for name in self.argument_names), *more_args),
        )

    def outcome(self, reply: object) -> Outcome:
        """The reply of Redis as a named outcome."""
        if not isinstance(reply, list) or not reply:
            raise ScriptError(f"{self.name}.lua returned {reply!r}, which names no outcome")
        name = reply[0].decode() if isinstance(reply[0], bytes) else str(reply[0])
        if name not in self.outcomes:
            raise ScriptError(f"{self.name}.lua returned the undeclared outcome {name!r}")
        return Outcome(name=name, values=tuple(reply[1:]))


@dataclass(frozen=True, kw_only=True)
class Call:
    """A script with its keys and arguments in order, ready to be sent."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[Argument, ...]

    def evalsha(self) -> tuple[Argument, ...]:
        """The command as Redis takes it."""
        return ("EVALSHA", self.script.sha, len(self.keys), *self.keys, *self.args)

    def eval(self) -> tuple[Argument, ...]:
        """The same with the script's text, which also loads it where it is not known."""
        return ("EVAL", self.script.text, len(self.keys), *self.keys, *self.args)
