"""`waystation show`: a message, and what became of it for each recipient (SPEC M11)."""

from __future__ import annotations

from collections.abc import Sequence

import click
from msgspec import Struct

from waystation.answers import Receipt, StoredMessage
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.options import Command

_COLUMNS = ("RECIPIENT", "STATUS", "ATTEMPTS", "DELIVERED", "READ", "FINISHED")


class MessageWithReceipts(Struct, frozen=True):
    """What `--json` gives."""

    message: StoredMessage
    receipts: Sequence[Receipt]


@click.command("show", cls=Command)
@click.argument("message_id", metavar="MESSAGE_ID")
@with_invocation
def command(invocation: Invocation, message_id: str) -> None:
    """Show a message, and what became of it."""
    message = invocation.station.messages.get(message_id)
    receipts = invocation.station.messages.receipts(message_id)
    output = invocation.output
    if output.as_json:
        output.document(MessageWithReceipts(message, receipts))
        return
    output.record(
        message,
        {
            "id": message.id,
            "from": message.from_,
            "to": message.to,
            "kind": message.kind,
            "subject": message.subject,
            "priority": message.priority,
            "status": message.status,
            "created": message.created_at,
            "deliver at": message.deliver_at,
            "expires": message.expires_at,
            "thread": message.thread_id,
            "reply to": message.reply_to,
            "channel": message.channel,
            "payload": message.payload,
            "body": message.body,
        },
    )
    output.table(
        _COLUMNS,
        [
            (one.agent_id, one.status, one.attempts, one.delivered_at, one.read_at, one.finished_at)
            for one in receipts
        ],
        empty="It has reached nobody yet.",
    )
