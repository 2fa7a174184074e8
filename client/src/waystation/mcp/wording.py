"""Messages as a model reads them: short, and what others wrote marked as theirs."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from waystation.answers import Contents, Delivered, DirectMessage, StoredMessage
from waystation.mcp.mailbox import Held

SHOWN_CHARACTERS: Final = 2000
"""What is longer is cut; `bus_read` gives the rest."""

_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY: Final = 86400


Content = Delivered | StoredMessage | Contents | DirectMessage
"""A message in any of the shapes that the station gives one."""


def text_of(message: Content) -> str:
    """All that the sender wrote."""
    parts = [] if message.body is None else [message.body]
    if message.payload is not None:
        parts.append(json_text(message.payload))
    return "\n".join(parts)


def json_text(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Compact JSON."""
    return msgspec.json.encode(value).decode()


def fenced(sender: str, text: str, *, subject: str | None = None) -> str:
    """What another agent wrote, between marks that it can't have known."""
    mark = secrets.token_hex(3)
    about = f"subject: {subject}\n" if subject else ""
    return f"<from-{sender}-{mark}>\n{about}{text}\n</from-{sender}-{mark}>"


def cut(text: str, message_id: str, *, at: int = SHOWN_CHARACTERS) -> tuple[str, str]:
    """The beginning of a text, and how to read the rest of it; nothing where that is all."""
    if len(text) <= at:
        return text, ""
    return text[:at], (
        f"\ncut: {at} of {len(text)} characters; the rest by"
        f' bus_read(id="{message_id}", offset={at}) or waystation://messages/{message_id}/body'
    )


def shown(message: Content, *notes: str, at: int = SHOWN_CHARACTERS) -> str:
    """A message: a line about it, then what its sender wrote."""
    text, rest = cut(text_of(message), message.id, at=at)
    about = [
        f"{message.id} from {message.from_}",
        *([] if message.kind == "chat" else [message.kind]),
        *([] if message.priority == "normal" else [f"priority {message.priority}"]),
        age(message.created_at),
        f"thread {message.thread_id}",
        *notes,
    ]
    return f"{', '.join(about)}\n{fenced(message.from_, text, subject=message.subject)}{rest}"


def shown_held(held: Held) -> str:
    """A message that the model holds."""
    message = held.message
    notes = []
    if message.attempt > 1:
        notes.append(f"attempt {message.attempt}")
    if message.channel:
        notes.append(f"channel {message.channel}")
    if held.is_claim:
        notes.append("claimed for you")
    if message.expects_reply:
        until = f" by {message.timeout_at:%H:%M:%S} UTC" if message.timeout_at else ""
        notes.append(f"wants a reply{until}")
    return shown(message, *notes)


def age(moment: datetime) -> str:
    """How long ago that was."""
    seconds = int((datetime.now(UTC) - moment).total_seconds())
    if seconds < _MINUTE:
        return f"{max(seconds, 0)} s ago"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min ago"
    if seconds < _DAY:
        return f"{seconds // _HOUR} h ago"
    return f"{seconds // _DAY} d ago"


def table(rows: list[Mapping[str, Any]], *, none: str, cursor: str | None = None) -> str:
    """Rows as lines of `name: value` without what is empty, and how to get more."""
    lines = [
        "- " + ", ".join(f"{name}: {_value(value)}" for name, value in row.items() if _says(value))
        for row in rows
    ]
    if cursor:
        lines.append(f'more: cursor="{cursor}"')
    return "\n".join(lines) if rows else none


def _says(value: object) -> bool:
    return value is not None and value not in ("", [], {})


def _value(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, (str, int, float)):
        return str(value)
    return json_text(value)
