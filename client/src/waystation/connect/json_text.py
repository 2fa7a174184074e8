"""Changes single values in the text of a JSON document, and leaves every other byte alone."""

from __future__ import annotations

import json
import re
from typing import Final, TypeAlias

from waystation.connect.json_tree import Dialect, Node, read

_DEFAULT_INDENT: Final = "  "
_LINE_INDENT: Final = re.compile(r"[ \t]*")
_REST_OF_LINE: Final = re.compile(r"(?:[ \t]*/\*[^\r\n]*?\*/)*[ \t]*(?://[^\r\n]*)?(?=\r?\n)")

KeyPath: TypeAlias = tuple[str, ...]


class NoPlaceError(ValueError):
    """On the way to a path stands something that is no object, or, at its end, no array."""


def with_member(text: str, path: KeyPath, value: object, dialect: Dialect) -> str:
    """The text with this value at this path; objects that lack on the way are made.

    Raises:
        NoPlaceError: something else is in the way.
        NotJsonError: the text is not of the dialect.
    """
    root = read(text, dialect)
    if not root.is_object:
        raise NoPlaceError("the document is no object")
    holder = root
    for depth, key in enumerate(path[:-1]):
        child = holder.child(key)
        if child is None:
            for missing in reversed(path[depth + 1 :]):
                value = {missing: value}
            return _appended(text, root, holder, key, value)
        holder = child.node
        if not holder.is_object:
            raise NoPlaceError(f"{'.'.join(path[: depth + 1])} is no object")
    child = holder.child(path[-1])
    if child is None:
        return _appended(text, root, holder, path[-1], value)
    if _same(child.node.value, value):
        return text
    rendered = _rendered(text, root, holder, value, _indent_at(text, child.start))
    return text[: child.node.start] + rendered + text[child.node.end :]


def without_member(text: str, path: KeyPath, dialect: Dialect) -> str:
    """The text without what stands at this path; the same text where nothing does."""
    holder = read(text, dialect).at(path[:-1])
    while holder is not None and (child := holder.child(path[-1])) is not None:
        text = _removed(text, holder, holder.children.index(child))
        holder = read(text, dialect).at(path[:-1])
    return text


def with_item(text: str, path: KeyPath, value: object, dialect: Dialect) -> str:
    """The text with one more element in the array at this path, which is made where it lacks.

    Raises:
        NoPlaceError: something else is in the way.
        NotJsonError: the text is not of the dialect.
    """
    root = read(text, dialect)
    holder = root.at(path)
    if holder is None:
        return with_member(text, path, [value], dialect)
    if not isinstance(holder.value, list):
        raise NoPlaceError(f"{'.'.join(path)} is no array")
    return _appended(text, root, holder, None, value)


def without_item(text: str, path: KeyPath, index: int, dialect: Dialect) -> str:
    """The text without one element of the array at this path."""
    holder = read(text, dialect).at(path)
    return text if holder is None else _removed(text, holder, index)


def _appended(text: str, root: Node, holder: Node, key: str | None, value: object) -> str:
    """The text with one more child at the end of a container."""
    if not holder.children:
        return _first(text, root, holder, key, value)
    last = holder.children[-1]
    if not _is_spread(text, holder):
        gap = " " if text[last.node.end : holder.end].startswith(", ") or _is_airy(text) else ""
        rendered = _child(text, root, holder, "", key=key, value=value)
        return text[: last.node.end] + "," + (gap + rendered) + text[last.node.end :]
    indent = _indent_at(text, holder.children[0].start)
    rendered = _newline(text) + indent + _child(text, root, holder, indent, key=key, value=value)
    behind = last.node.end if last.comma is None else last.comma + 1
    line = _REST_OF_LINE.match(text, behind)
    place = line.end() if line and line.end() <= holder.end else behind
    if last.comma is not None:
        return text[:place] + rendered + "," + text[place:]
    return text[: last.node.end] + "," + text[last.node.end : place] + rendered + text[place:]


def _first(text: str, root: Node, holder: Node, key: str | None, value: object) -> str:
    """The text with a first child in an empty container, before what comments it has."""
    if _is_minified(text, root):
        child = _child(text, root, holder, "", key=key, value=value)
        return text[: holder.start + 1] + child + text[holder.start + 1 :]
    outer = _indent_at(text, holder.start)
    indent = outer + _unit(text, root)
    child = _newline(text) + indent + _child(text, root, holder, indent, key=key, value=value)
    inside = text[holder.start + 1 : holder.end - 1]
    if inside.strip():
        return text[: holder.start + 1] + child + text[holder.start + 1 :]
    return text[: holder.start + 1] + child + _newline(text) + outer + text[holder.end - 1 :]


def _removed(text: str, holder: Node, index: int) -> str:
    """The text without a child, the comma that it needed, and the space before it."""
    child = holder.children[index]
    start = _space_before(text, child.start)
    if len(holder.children) == 1:
        end = child.node.end if child.comma is None else child.comma + 1
        rest = text[holder.start + 1 : start] + text[end : holder.end - 1]
        return text[: holder.start + 1] + (rest if rest.strip() else "") + text[holder.end - 1 :]
    if child.comma is not None:
        middle = text[child.node.end : child.comma]
        return text[:start] + middle + text[child.comma + 1 :]
    before = holder.children[index - 1].comma
    before = start if before is None else before
    return text[:before] + text[before + 1 : start] + text[child.node.end :]


def _child(
    text: str, root: Node, holder: Node, indent: str, *, key: str | None, value: object
) -> str:
    rendered = _rendered(text, root, holder, value, indent)
    if key is None:
        return rendered
    colon = ":" if _is_minified(text, root) and not _is_airy(text) else ": "
    return json.dumps(key, ensure_ascii=False) + colon + rendered


def _rendered(text: str, root: Node, holder: Node, value: object, indent: str) -> str:
    """A value in the manner of the text, its later lines indented like the line it starts on."""
    if (holder.children and not _is_spread(text, holder)) or _is_minified(text, root):
        separators = (", ", ": ") if _is_airy(text) else (",", ":")
        return json.dumps(value, ensure_ascii=False, separators=separators)
    rendered = json.dumps(value, ensure_ascii=False, indent=_unit(text, root))
    return rendered.replace("\n", _newline(text) + indent)


def _is_spread(text: str, holder: Node) -> bool:
    """Whether its children stand on lines of their own."""
    return bool(holder.children) and "\n" in text[holder.start : holder.children[0].start]


def _is_minified(text: str, root: Node) -> bool:
    """Whether the whole document, with something in it, stands on one line."""
    return bool(root.children) and "\n" not in text[root.start : root.end]


def _is_airy(text: str) -> bool:
    """Whether the text has spaces behind its colons."""
    return '": ' in text


def _unit(text: str, root: Node) -> str:
    if not _is_spread(text, root):
        return _DEFAULT_INDENT
    return _indent_at(text, root.children[0].start) or _DEFAULT_INDENT


def _indent_at(text: str, at: int) -> str:
    found = _LINE_INDENT.match(text, text.rfind("\n", 0, at) + 1)
    return found.group() if found else ""


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _space_before(text: str, at: int) -> int:
    """Where the line break and indentation begin that bring us to this place."""
    while text[at - 1] in " \t":
        at -= 1
    if text[at - 1] == "\n":
        at -= 2 if text[at - 2 : at] == "\r\n" else 1
    return at


def _same(one: object, other: object) -> bool:
    """Whether two values are the same in JSON, where true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
