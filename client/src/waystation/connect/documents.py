"""The notations of configuration files, behind one interface that proves each change."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tomlkit.exceptions import TOMLKitError

from waystation.connect import json_text, json_tree, toml_text
from waystation.connect.json_tree import Dialect, NotJsonError
from waystation.connect.toml_text import NotTomlError
from waystation.errors import WaystationError

KeyPath: TypeAlias = tuple[str, ...]


class UnreadableError(WaystationError):
    """The text is not of its notation; it says where."""


class UnchangeableError(WaystationError):
    """The change can't be made in this text without harm to what else stands in it."""


class Notation(ABC):
    """How a file is written.

    Whatever changes a text here is checked: what is read back must be what was there before plus
    the change, and nothing else. So a slip in the editing of text refuses, and never destroys.
    """

    empty: str
    """A document without anything in it."""

    @abstractmethod
    def read(self, text: str) -> dict[str, Any]:
        """The values of a text.

        Raises:
            UnreadableError: it is not of this notation.
        """

    def put(self, text: str, path: KeyPath, value: object) -> str:
        """The text with a value at a path; where tables meet, keys that the new one lacks stay.

        Raises:
            UnchangeableError: something else is in the way.
        """
        values = self.read(text)
        holder = _made(values, path[:-1])
        old = holder.get(path[-1])
        merged = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
        if _same(merged, old):
            return text
        holder[path[-1]] = merged
        return self._checked(lambda: self._put(text, path, value, is_new=old is None), values)

    def remove(self, text: str, path: KeyPath) -> str:
        """The text without what stands at a path."""
        values = self.read(text)
        holder = found(values, path[:-1])
        if not isinstance(holder, dict) or path[-1] not in holder:
            return text
        del holder[path[-1]]
        # A table of TOML that only its parts brought about is gone with the last of them.
        return self._checked(lambda: self._remove(text, path), values, _pruned(values, path[:-1]))

    def append(self, text: str, path: KeyPath, value: object) -> str:
        """The text with one more element in the array at a path.

        Raises:
            UnchangeableError: something else is in the way.
        """
        values = self.read(text)
        array = _made(values, path[:-1]).setdefault(path[-1], [])
        if not isinstance(array, list):
            raise UnchangeableError(f"{'.'.join(path)} is no list.")
        array.append(value)
        return self._checked(lambda: self._append(text, path, value), values)

    def drop(self, text: str, path: KeyPath, index: int) -> str:
        """The text without one element of the array at a path."""
        values = self.read(text)
        array = found(values, path)
        if isinstance(array, list):
            array.pop(index)
        return self._checked(lambda: self._drop(text, path, index), values)

    def _checked(self, change: Callable[[], str], *expected: dict[str, Any]) -> str:
        try:
            after = change()
            reached = any(_same(self.read(after), one) for one in expected)
        except (json_text.NoPlaceError, TOMLKitError, UnreadableError) as error:
            raise UnchangeableError(f"This can't be changed without harm: {error}.") from error
        if not reached:
            raise UnchangeableError("This can't be changed without harm to the rest.")
        return after

    @abstractmethod
    def _put(self, text: str, path: KeyPath, value: object, *, is_new: bool) -> str: ...

    @abstractmethod
    def _remove(self, text: str, path: KeyPath) -> str: ...

    @abstractmethod
    def _append(self, text: str, path: KeyPath, value: object) -> str: ...

    @abstractmethod
    def _drop(self, text: str, path: KeyPath, index: int) -> str: ...


class Json(Notation):
    """JSON in a dialect."""

    empty = "{}\n"

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def read(self, text: str) -> dict[str, Any]:
        """The values of a text."""
        try:
            value = json_tree.read(text, self._dialect).value
        except NotJsonError as error:
            raise UnreadableError(
                f"not {self._dialect.value}: line {error.line}, column {error.column}: {error}"
            ) from error
        if not isinstance(value, dict):
            raise UnreadableError("the document is no object")
        return copy.deepcopy(value)

    def _put(self, text: str, path: KeyPath, value: object, *, is_new: bool) -> str:
        if is_new or not isinstance(value, dict):
            return json_text.with_member(text, path, value, self._dialect)
        for key, one in value.items():
            text = json_text.with_member(text, (*path, key), one, self._dialect)
        return text

    def _remove(self, text: str, path: KeyPath) -> str:
        return json_text.without_member(text, path, self._dialect)

    def _append(self, text: str, path: KeyPath, value: object) -> str:
        return json_text.with_item(text, path, value, self._dialect)

    def _drop(self, text: str, path: KeyPath, index: int) -> str:
        return json_text.without_item(text, path, index, self._dialect)


class Toml(Notation):
    """TOML, as far as tables go."""

    empty = ""

    def read(self, text: str) -> dict[str, Any]:
        """The values of a text."""
        try:
            return toml_text.read(text)
        except NotTomlError as error:
            raise UnreadableError(
                f"not TOML: line {error.line}, column {error.column}: {error}"
            ) from error

    def _put(self, text: str, path: KeyPath, value: object, *, is_new: bool) -> str:
        if not isinstance(value, Mapping):
            raise UnchangeableError(f"{'.'.join(path)}: only tables are put into TOML.")
        change = toml_text.with_table if is_new else toml_text.with_values
        return change(text, path, value)

    def _remove(self, text: str, path: KeyPath) -> str:
        return toml_text.without(text, path)

    def _append(self, text: str, path: KeyPath, value: object) -> str:
        del text, value
        raise UnchangeableError(f"{'.'.join(path)}: lists in TOML are left alone.")

    def _drop(self, text: str, path: KeyPath, index: int) -> str:
        return self._append(text, path, index)


def found(values: object, path: KeyPath) -> object:
    """What stands at a path of values; None where nothing does."""
    for key in path:
        if not isinstance(values, dict) or key not in values:
            return None
        values = values[key]
    return values


def _made(values: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    """The table at a path, made where it lacks."""
    for depth, key in enumerate(path):
        values = values.setdefault(key, {})
        if not isinstance(values, dict):
            raise UnchangeableError(f"{'.'.join(path[: depth + 1])} is no table.")
    return values


def _pruned(values: dict[str, Any], path: KeyPath) -> dict[str, Any]:
    """The values without the tables on a path that are empty, from its end."""
    values = copy.deepcopy(values)
    while path and found(values, path) == {}:
        holder = found(values, path[:-1])
        if isinstance(holder, dict):
            del holder[path[-1]]
        path = path[:-1]
    return values


def _same(one: object, other: object) -> bool:
    """Whether two values are the same, where true is not 1 and the order of keys means nothing."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return type(one) is type(other) and bool(one == other)
