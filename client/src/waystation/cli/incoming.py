"""How messages are shown that an inbox gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from waystation.answers import Delivered, Inbox
from waystation.cli.cells import readable
from waystation.cli.conversations import indented, text_of
from waystation.cli.messages import shortened
from waystation.cli.output import Output

_COLUMNS: Final = ("MESSAGE", "FROM", "KIND", "PRIORITY", "SENT", "TEXT")


def show_waiting(output: Output, messages: Sequence[Delivered]) -> None:
    """What waits, as a list."""
    shorten = shortened if output.for_people else str
    rows = [
        (
            *(one.id, one.from_, one.kind, one.priority, one.created_at),
            shorten(one.subject or text_of(one) if output.for_people else text_of(one)),
        )
        for one in messages
    ]
    page = Inbox(messages=list(messages))
    output.page(page, _COLUMNS, rows, empty="Nothing waits.")


def show_taken(output: Output, message: Delivered, *, with_token: bool = False) -> None:
    """One message that is taken: whole for people, a line for programs."""
    lease = message.lease if with_token else None
    if output.as_json:
        output.line(message)
    elif output.for_people:
        about = [message.from_, message.kind, message.subject, readable(message.created_at)]
        about += [message.id, f"attempt {message.attempt}" if message.attempt > 1 else None]
        about += ["asks for a reply" if message.expects_reply else None]
        about += [f"--token {lease.token}" if lease else None]
        output.text("  ".join(one for one in about if one))
        output.text(f"{indented(message)}\n")
    else:
        row = (message.id, message.from_, message.kind, message.priority, message.created_at)
        token = (lease.token,) if lease else ()
        output.table((), [(*row, text_of(message), *token)])
