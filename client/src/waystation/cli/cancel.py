"""`waystation cancel`: withdraw a message (SPEC M13)."""

from __future__ import annotations

import click

from waystation.cli.context import Invocation, with_invocation
from waystation.cli.options import Command


@click.command("cancel", cls=Command)
@click.argument("message_id", metavar="MESSAGE_ID")
@with_invocation
def command(invocation: Invocation, /, *, message_id: str) -> None:
    """Withdraw a message that no recipient holds."""
    state = invocation.station.messages.cancel(message_id)
    invocation.output.result(state, state.status)
