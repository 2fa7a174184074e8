"""`waystation ack`: a leased message is done (SPEC M7)."""

from __future__ import annotations

import click

from waystation.cli.context import Invocation, with_invocation
from waystation.cli.options import Command


@click.command("ack", cls=Command)
@click.argument("message_id", metavar="MESSAGE_ID")
@click.option("--token", required=True, metavar="LEASE_TOKEN", help="That of the lease.")
@with_invocation
def command(invocation: Invocation, /, *, message_id: str, token: str) -> None:
    """Say that a leased message is done."""
    state = invocation.station.messages.ack(
        message_id, agent_id=invocation.agent_id, lease_token=token
    )
    invocation.output.result(state, state.status)
