"""`waystation send`: a message from the command line."""

from __future__ import annotations

import click

from waystation.agent import Agent


@click.command("send")
@click.argument("to")
@click.argument("body")
@click.option("--as", "agent", help="Who sends it.")
def command(to: str, body: str, agent: str | None) -> None:
    """Send BODY to the agent or group TO."""
    with Agent(agent, register=False) as sender:
        click.echo(sender.send(to, body).id)
