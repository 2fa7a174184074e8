"""What a model API is asked and answers, whichever it is."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

Document = dict[str, Any]

_numbers = itertools.count(1)


def new_id(kind: str) -> str:
    """Make an id."""
    return f"{kind}_{next(_numbers)}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool that a CLI offers to its model; some group the tools of one server in a namespace."""

    name: str
    namespace: str | None = None

    def is_called(self, name: str) -> bool:
        """Whether this is Waystation's tool of that name, whatever the CLI puts before it."""
        whole = f"{self.namespace or ''}_{self.name}"
        return "waystation" in whole and (self.name == name or self.name.endswith(f"_{name}"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Question:
    """What a CLI asked: how often the model has spoken, what tools answered, what is on offer."""

    model: str
    is_streamed: bool
    turns_taken: int
    results: Sequence[str]
    tools: Sequence[Tool]
    request: Document


@dataclasses.dataclass(frozen=True)
class Say:
    """The model's words."""

    text: str


@dataclasses.dataclass(frozen=True)
class Use:
    """The model's call of a tool."""

    tool: Tool
    arguments: Mapping[str, Any]


Turn = Say | Use


@dataclasses.dataclass(frozen=True)
class Event:
    """One server-sent event."""

    name: str
    data: str


class Dialect(Protocol):
    """One model API."""

    def is_spoken_at(self, path: str) -> bool:
        """Whether a request for this path is one of this API's."""

    def read(self, path: str, request: Document) -> Question:
        """Return what was asked."""

    def say(self, turn: Turn, model: str) -> Iterator[Event]:
        """Return the events that tell a turn."""

    def whole(self, events: Sequence[Event]) -> Document:
        """Return the same turn in one document."""


def text_of(content: object) -> str:
    """Return the text of a tool's result, in whichever of the ways it is told."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(text_of(part) for part in content)
    if isinstance(content, dict):
        return text_of(content.get("text") or content.get("content") or "")
    return ""
