"""Changes single tables in the text of a TOML document, and keeps its comments and order."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import tomlkit
from tomlkit.items import InlineTable

KeyPath: TypeAlias = tuple[str, ...]
_HEADER: Final = re.compile(r"[ \t]*\[")
_POSITION: Final = re.compile(r"\(at (?:line (\d+), column (\d+)|end of document)\)")


class NotTomlError(ValueError):
    """The text is not TOML; `line` and `column` count from 1."""

    def __init__(self, error: tomllib.TOMLDecodeError, text: str) -> None:
        super().__init__(_POSITION.sub("", str(error)).strip())
        found = _POSITION.search(str(error))
        if found and found.group(1):
            self.line, self.column = int(found.group(1)), int(found.group(2))
        else:
            lines = text.splitlines() or [""]
            self.line, self.column = len(lines), len(lines[-1]) + 1


def read(text: str) -> dict[str, Any]:
    """The values of a document.

    Raises:
        NotTomlError: it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotTomlError(error, text) from error


def with_table(text: str, path: KeyPath, table: Mapping[str, Any]) -> str:
    """The text with a new table at its end; the path must be free."""
    gap = "" if not text.strip() else "\n" if text.endswith("\n") else "\n\n"
    block = f"[{_dotted(path)}]\n" + "".join(
        f"{_dotted((key,))} = {_rendered(value)}\n" for key, value in table.items()
    )
    return text + (gap + block).replace("\n", "\r\n" if "\r\n" in text else "\n")


def with_values(text: str, path: KeyPath, values: Mapping[str, Any]) -> str:
    """The text with these values set in the table that stands at the path.

    Raises:
        TOMLKitError: the table is written in a way that tomlkit can't change.
    """
    document = tomlkit.parse(text)
    table: Any = document
    for key in path:
        table = table[key]
    for key, value in values.items():
        if key not in table or table[key] != value:
            table[key] = tomlkit.item(value) if not isinstance(value, Mapping) else _inline(value)
    return tomlkit.dumps(document)


def without(text: str, path: KeyPath) -> str:
    """The text without the tables at and below the path.

    Headers are looked for line by line, because what lies between two parts of a table (as other
    programs leave them) is no concern of ours; a table without a header of its own is tomlkit's.

    Raises:
        TOMLKitError: the table is written in a way that tomlkit can't change.
    """
    lines = text.splitlines(keepends=True)
    headers = [(at, _header(line)) for at, line in enumerate(lines) if _HEADER.match(line)]
    headers = [(at, key) for at, key in headers if key is not None]
    kept, position = "", 0
    for (at, key), following in zip(headers, [*headers[1:], (len(lines), None)], strict=True):
        if key is None or key[: len(path)] != path:
            continue
        kept += "".join(lines[position:at])
        position = _end_of_table(lines, at, following[0])
    if position:
        rest = "".join(lines[position:])
        return kept + rest if rest.strip() else kept.rstrip("\r\n") + _last_newline(kept)
    document = tomlkit.parse(text)
    holder: Any = document
    for key_part in path[:-1]:
        holder = holder[key_part]
    del holder[path[-1]]
    return tomlkit.dumps(document)


def _end_of_table(lines: list[str], start: int, following: int) -> int:
    """Where a table ends: comments below its last value are the next one's, or the file's."""
    end = following
    while end > start + 1 and lines[end - 1].lstrip().startswith("#"):
        end -= 1
    return end


def _header(line: str) -> KeyPath | None:
    """The path that a line opens as a table; None if it is no header after all."""
    try:
        value: object = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
    path: KeyPath = ()
    while isinstance(value, dict | list) and value:
        if isinstance(value, list):
            value = value[0]
            continue
        key = next(iter(value))
        path, value = (*path, key), value[key]
    return path


def _last_newline(text: str) -> str:
    return "" if not text.strip() else "\r\n" if "\r\n" in text else "\n"


def _dotted(path: KeyPath) -> str:
    return (
        tomlkit.key(list(path)).as_string() if len(path) > 1 else tomlkit.key(path[0]).as_string()
    )


def _rendered(value: object) -> str:
    item = _inline(value) if isinstance(value, Mapping) else tomlkit.item(value)
    return str(item.as_string())


def _inline(value: Mapping[str, Any]) -> InlineTable:
    table = tomlkit.inline_table()
    table.update(dict(value))
    return table
