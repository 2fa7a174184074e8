"""`waystation hook`: what agent CLIs run to notice messages; `waystation connect` sets it up."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from waystation.configuration import configured
from waystation.connect.hook import Hook
from waystation.connect.ledger import state_directory
from waystation.connect.notices import PROTOCOLS, Event
from waystation.errors import ConfigurationError


class Unfailing(click.Command):
    """A command that never fails: to most clients exit code 2 of a hook means "stop the user"."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:  # noqa: ANN401 - handed on
        """Read the arguments; wrong ones are told, and forgiven."""
        try:
            return super().make_context(*args, **extra)
        except click.UsageError as error:
            click.echo(f"waystation hook: {error.format_message()}", err=True)
            sys.exit(0)


@click.command("hook", cls=Unfailing, hidden=True)
@click.argument("client", type=click.Choice(list(PROTOCOLS)))
@click.argument("event", type=click.Choice([event.value for event in Event]))
@click.option("--agent", help="Whose inbox it is.")
@click.option("--url", help="Where the station is.")
@click.option("--profile", help="The profile of the configuration file.")
@click.option("--token-file", help="The file with the token.")
@click.option("--config", help="The configuration file.")
def command(client: str, event: str, agent: str | None, **options: str | None) -> None:
    """Say at EVENT, in the manner of CLIENT, that messages wait. Reads the event from stdin.

    It says nothing and ends well when nothing waits or the station is away.
    """
    environ = dict(os.environ)
    if config := options.pop("config"):
        environ["WAYSTATION_CONFIG"] = config
    try:
        configuration = configured(agent=agent, environ=environ, **options)
    except ConfigurationError as error:
        click.echo(f"waystation hook: {error}", err=True)
        return
    hook = Hook(
        client=client,
        event=Event(event),
        configuration=configuration,
        state=state_directory(environ) / "hooks",
    )
    if answer := hook.answer(_account):
        click.echo(answer)


def _account() -> str:
    """What the client says of the event.

    Read past `sys.stdin`: Python aborts if it ends while a thread waits with the buffer's lock.
    """
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as stdin:
        return (stdin.read() or b"").decode()
