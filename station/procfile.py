"""Reads the Procfile: which processes a station has, and the command of each."""

import dataclasses
import re
import shlex

from station.errors import StationError

_LINE = re.compile(r"(?P<name>[A-Za-z0-9_-]+):\s*(?P<command>\S.*)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry:
    """One process: its name and the words of its command, which no shell interprets."""

    name: str
    command: tuple[str, ...]


def parse(text: str) -> tuple[Entry, ...]:
    """Return the entries in their order; blank lines and # comments are passed over.

    Raises:
        StationError: for a line that is no `name: command`, or a name that comes twice.
    """
    entries: dict[str, Entry] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise StationError(f"Procfile line {number} is not `name: command`: {line.strip()}")
        name = match["name"]
        if name in entries:
            raise StationError(f"Procfile line {number}: there is a process {name} already.")
        try:
            command = tuple(shlex.split(match["command"]))
        except ValueError as error:
            raise StationError(f"Procfile line {number}: {error}.") from error
        entries[name] = Entry(name=name, command=command)
    return tuple(entries.values())
