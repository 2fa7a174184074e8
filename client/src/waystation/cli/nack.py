"""`waystation nack`: a leased message is not done (SPEC M7)."""

from __future__ import annotations

import click

from waystation.cli.context import Invocation, with_invocation
from waystation.cli.durations import DURATION
from waystation.cli.options import Command


@click.command("nack", cls=Command)
@click.argument("message_id", metavar="MESSAGE_ID")
@click.option("--token", required=True, metavar="LEASE_TOKEN", help="That of the lease.")
@click.option("--reason", help="Why.")
@click.option("--delay", type=DURATION, help="Try again after so long.")
@click.option("--permanent", is_flag=True, help="Never try again: it becomes a dead letter.")
@with_invocation
def command(
    invocation: Invocation,
    /,
    *,
    message_id: str,
    token: str,
    reason: str | None,
    delay: float | None,
    permanent: bool,
) -> None:
    """Give a leased message back, for later or for good."""
    rejected = invocation.station.messages.nack(
        message_id,
        agent_id=invocation.agent_id,
        lease_token=token,
        reason=reason,
        delay_seconds=delay,
        permanent=permanent,
    )
    invocation.output.result(rejected, rejected.status)
