"""`waystation send`: a message from the command line."""

from __future__ import annotations

import click

from waystation.cli.context import Invocation, with_invocation
from waystation.cli.options import Command


@click.command("send", cls=Command)
@click.argument("to")
@click.argument("body")
@with_invocation
def command(invocation: Invocation, to: str, body: str) -> None:
    """Send a message to an agent or a group."""
    sent = invocation.agent.send(to, body)
    invocation.output.result(sent, sent.id)
