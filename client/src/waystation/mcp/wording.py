"""Messages as a model reads them: short, and what others wrote marked as theirs."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
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


def glimpse(message: Content, *, at: int = 80) -> str:
    """A message on one line; the quotes of JSON keep what its sender wrote apart."""
    text = message.subject or text_of(message)
    shortened = text[:at] + ("…" if len(text) > at else "")
    about = [] if message.kind == "chat" else [message.kind]
    heading = ", ".join([f"{message.id} from {message.from_}", *about, age(message.created_at)])
    return f"{heading}: {json_text(shortened)}"


def shown_inbox(held: Iterable[Held], waiting: Iterable[Content]) -> str:
    """What the model holds and what waits for it, a line each."""
    holds = [glimpse(one.message) for one in held]
    return "\n".join(
        [listed("You hold", holds), listed("Waiting", [glimpse(one) for one in waiting])]
    )


def row(name: str, /, **values: object) -> str:
    """A thing and what there is to say of it, on one line."""
    said = [f"{key} {_value(value)}" for key, value in values.items() if _says(value)]
    return ", ".join([name, *said])


def listed(title: str, lines: Sequence[str], *, none: str = "nothing") -> str:
    """Lines under a title."""
    return (
        "\n".join([f"{title}:", *(f"- {line}" for line in lines)]) if lines else f"{title}: {none}"
    )


def paged(lines: Sequence[str], cursor: str | None, *, none: str = "Nothing.") -> str:
    """Lines, and how to get more."""
    more = [f'more: cursor="{cursor}"'] if cursor else []
    return "\n".join([*lines, *more]) or none


def _says(value: object) -> bool:
    return value is not None and value not in ("", [], {}, False)


def _value(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (str, int)):
        return str(value)
    return json_text(value)
