"""`waystation show`: a message, and what became of it for each recipient (SPEC M11)."""

from __future__ import annotations

import click

from waystation.cli.context import Invocation, with_invocation
from waystation.cli.options import Command
from waystation.cli.receipts import COLUMNS, rows, verdict_of


@click.command("show", cls=Command)
@click.argument("message_id", metavar="MESSAGE_ID")
@with_invocation
def command(invocation: Invocation, /, *, message_id: str) -> None:
    """Show a message, and what became of it."""
    verdict = verdict_of(invocation.station.messages, message_id)
    message = verdict.message
    output = invocation.output
    output.record(
        verdict,
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
    if not output.as_json:
        if output.for_people:
            output.text("")
        output.table(COLUMNS, rows(verdict.receipts), empty="It has reached nobody yet.")
