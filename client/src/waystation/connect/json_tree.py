"""Reads JSON, where allowed with comments, into a tree that knows where everything stands."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

_WHITESPACE: Final = re.compile(r"[ \t\r\n]*")
_COMMENT: Final = re.compile(r"//[^\r\n]*|/\*.*?\*/", re.DOTALL)
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_SCALAR: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_DEEPEST: Final = 200


class Dialect(Enum):
    """What a client's reader takes beside JSON (seen with the clients themselves)."""

    STRICT = "JSON"
    COMMENTS = "JSON with comments"
    RELAXED = "JSON with comments and trailing commas"


class NotJsonError(ValueError):
    """The text is not of its dialect; `line` and `column` count from 1."""

    def __init__(self, what: str, text: str, at: int) -> None:
        super().__init__(what)
        self.line = text.count("\n", 0, at) + 1
        self.column = at - (text.rfind("\n", 0, at) + 1) + 1


@dataclass(frozen=True, kw_only=True)
class Child:
    """A member of an object, or an element of an array."""

    key: str | None
    """None in an array."""
    start: int
    """Where it begins: with the key, in an object."""
    node: Node
    comma: int | None
    """Where the comma behind it stands."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A value with its place: `text[start:end]`."""

    start: int
    end: int
    value: Any
    children: tuple[Child, ...] = ()

    @property
    def is_object(self) -> bool:
        """Whether it is an object."""
        return isinstance(self.value, dict)

    def child(self, key: str) -> Child | None:
        """The member of this key: the last where there are several, as readers take it."""
        return next((one for one in reversed(self.children) if one.key == key), None)

    def at(self, path: tuple[str, ...]) -> Node | None:
        """What stands at a path of keys."""
        node = self
        for key in path:
            child = node.child(key)
            if child is None:
                return None
            node = child.node
        return node


def read(text: str, dialect: Dialect) -> Node:
    """The tree of a document.

    Raises:
        NotJsonError: it is not of the dialect.
    """
    return _Reader(text, dialect).document()


class _Reader:
    def __init__(self, text: str, dialect: Dialect) -> None:
        self._text = text
        self._dialect = dialect
        self._at = 1 if text.startswith("\ufeff") else 0
        self._depth = 0

    def document(self) -> Node:
        self._skip()
        node = self._value()
        self._skip()
        if self._at != len(self._text):
            raise self._error("there is more behind the end of the document")
        return node

    def _value(self) -> Node:
        match self._next():
            case "{":
                return self._container("}")
            case "[":
                return self._container("]")
            case '"':
                start = self._at
                return Node(value=self._string(), start=start, end=self._at)
        scalar = _SCALAR.match(self._text, self._at)
        if scalar is None:
            raise self._error("expected a value" if self._next() else "the document ends too soon")
        start, self._at = self._at, scalar.end()
        return Node(start=start, end=self._at, value=json.loads(scalar.group()))

    def _container(self, closing: str) -> Node:
        start = self._at
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error("it is nested too deeply")
        self._at += 1
        children: list[Child] = []
        while True:
            self._skip()
            if self._next() == closing and (not children or self._trailing_comma()):
                break
            child = self._child(is_member=closing == "}")
            children.append(child)
            if child.comma is None:
                break
        if self._next() != closing:
            raise self._error(f"expected , or {closing}")
        self._at += 1
        self._depth -= 1
        value: object = (
            {str(one.key): one.node.value for one in children}
            if closing == "}"
            else [one.node.value for one in children]
        )
        return Node(start=start, end=self._at, value=value, children=tuple(children))

    def _trailing_comma(self) -> bool:
        if self._dialect is not Dialect.RELAXED:
            raise self._error("a comma with nothing behind it")
        return True

    def _child(self, *, is_member: bool) -> Child:
        start, key = self._at, None
        if is_member:
            key = self._string()
            self._skip()
            if self._next() != ":":
                raise self._error("expected :")
            self._at += 1
            self._skip()
        node = self._value()
        self._skip()
        comma = self._at if self._next() == "," else None
        if comma is not None:
            self._at += 1
        return Child(key=key, start=start, node=node, comma=comma)

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if found is None:
            raise self._error("expected a text in double quotes")
        try:
            text = json.loads(found.group())
        except ValueError as error:
            raise self._error("a text with an escape that JSON does not know") from error
        self._at = found.end()
        return str(text)

    def _skip(self) -> None:
        while True:
            space = _WHITESPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._next() != "/":
                return
            comment = _COMMENT.match(self._text, self._at)
            if comment is None or self._dialect is Dialect.STRICT:
                raise self._error(
                    "a comment, which this file may not have" if comment else "stray /"
                )
            self._at = comment.end()

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]

    def _error(self, what: str) -> NotJsonError:
        return NotJsonError(what, self._text, self._at)
