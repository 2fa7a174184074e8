"""How conversations are shown: one message after the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from waystation.cli.cells import json_text, plain, readable
from waystation.cli.output import Output


class Said(Protocol):
    """A message, as any listing gives it."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def from_(self) -> str: ...  # noqa: D102
    @property
    def to(self) -> Any: ...  # noqa: ANN401, D102
    @property
    def created_at(self) -> datetime: ...  # noqa: D102
    @property
    def subject(self) -> str | None: ...  # noqa: D102
    @property
    def body(self) -> str | None: ...  # noqa: D102
    @property
    def payload(self) -> Any: ...  # noqa: ANN401, D102


def show_conversation(
    output: Output, page: object, messages: Sequence[Said], *, cursor: str | None
) -> None:
    """For people as it would be told; for programs id, from, to, time and text in columns."""
    if output.as_json:
        output.document(page)
        return
    if not output.for_people:
        output.table(
            (), [(one.id, one.from_, one.to, one.created_at, text_of(one)) for one in messages]
        )
    for one in messages if output.for_people else ():
        subject = f"  {one.subject}" if one.subject else ""
        output.text(f"{one.from_} → {plain(one.to)}  {readable(one.created_at)}  {one.id}{subject}")
        output.text(f"{indented(one)}\n")
    if not messages:
        output.note("Nothing was said.")
    if cursor:
        output.note(f"There is more: --cursor {cursor}")


def indented(message: Said) -> str:
    """All that it says, for people: its body, and its payload below."""
    told = [part for part in (message.body, json_text(message.payload)) if part]
    return "\n".join(f"  {line}" for part in told for line in part.split("\n"))


def text_of(message: Said) -> str:
    """What it says: its body, else its payload."""
    return json_text(message.payload) if message.body is None else message.body
