"""`waystation connect`: puts Waystation into an agent CLI's configuration, and takes it out."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from waystation.cli.cells import printable
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.options import Command, Options
from waystation.cli.output import Output
from waystation.connect import plan
from waystation.connect.client import Client, Connection, Places, Scope
from waystation.connect.ledger import Ledger, state_directory
from waystation.connect.plan import Change
from waystation.connect.present import present
from waystation.connect.prospects import prospects, register
from waystation.connect.registry import BY_NAME, CLIENTS
from waystation.connect.setting import program, settings

_COLUMNS: Final = ("CLIENT", "VERSION", "AGENT", "AGENT IN THIS PROJECT")
_COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}


@click.command("connect", cls=Command)
@click.argument("name", metavar="CLIENT", required=False, type=click.Choice(list(BY_NAME)))
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    default=Scope.USER.value,
    show_default=True,
    help="For all your sessions, or for those in this project.",
)
@click.option("--hooks/--no-hooks", default=True, help="Let it notice messages.  [default: hooks]")
@click.option("--allow", is_flag=True, help="Let it use Waystation's tools without asking.")
@click.option("--register", "registers", is_flag=True, help="Make the agent known right away.")
@click.option("--write", "writes", is_flag=True, help="Write it; otherwise it is only shown.")
@click.option("--undo", "undoes", is_flag=True, help="Take it out again; with --write.")
@click.option("--list", "lists", is_flag=True, help="Which clients are here, connected as whom.")
@click.option("--all", "everyone", is_flag=True, help="Every client that is installed.")
@with_invocation
def command(invocation: Invocation, /, name: str | None, **options: Any) -> None:  # noqa: ANN401 - checked by click
    """Connect CLIENT (claude, codex, gemini or opencode) to Waystation, as the agent of --as.

    Shows the change to the client's configuration files; --write makes it, and keeps what they said
    before. No token is written into them: name a profile or --token-file.
    """
    output = invocation.output
    places = Places.here(os.environ, Path.cwd())
    if options["lists"]:
        _list(output, places)
        return
    clients = _chosen(name, everyone=options["everyone"])
    scope = Scope(options["scope"])
    ledger = Ledger(state_directory(os.environ) / "connect")
    if options["undoes"]:
        whole = Connection(agent="", program=program(), allow=True)
        changes = [
            change
            for client in clients
            for change in plan.disconnecting(client.targets(whole, scope, places), ledger)
        ]
        _carry_out(output, changes, ledger, writes=options["writes"])
        return
    connection = Connection(
        agent=invocation.agent_id,
        program=program(),
        settings=_settings(invocation.options),
        hooks=options["hooks"],
        allow=options["allow"],
    )
    changes = [
        change
        for client in clients
        for change in plan.connecting(client.targets(connection, scope, places), ledger)
    ]
    if options["registers"]:
        register(invocation.configuration, connection.agent)
    advice = prospects(invocation.configuration, connection.agent, os.environ)
    if options["writes"]:
        advice += [step for client in clients for step in client.next_steps(connection, scope)]
        advice.append("The same command with --undo takes it back.")
    _carry_out(output, changes, ledger, writes=options["writes"], advice=advice)


def _settings(options: Options) -> dict[str, str]:
    return settings(
        os.environ, url=options.url, profile=options.profile, token_file=options.token_file
    )


def _chosen(name: str | None, *, everyone: bool) -> list[Client]:
    if everyone == (name is not None):
        raise click.UsageError("Name one client, or say --all or --list.")
    if name is not None:
        return [BY_NAME[name]]
    installed = [client for client in CLIENTS if shutil.which(client.program)]
    if not installed:
        raise click.UsageError(f"None is on PATH of {', '.join(BY_NAME)}.")
    return installed


def _carry_out(
    output: Output,
    changes: Sequence[Change],
    ledger: Ledger,
    *,
    writes: bool,
    advice: Sequence[str] = (),
) -> None:
    """Show the changes, and write them where that was asked for."""
    pending = [change for change in changes if not change.is_empty]
    if writes:
        plan.write(changes, ledger)
    if output.as_json:
        files = [
            {
                "path": str(change.path),
                "changed": not change.is_empty,
                "diff": "".join(change.diff()),
            }
            for change in changes
        ]
        output.document({"written": writes, "files": files, "advice": list(advice)})
        return
    for line in (line for change in pending for line in change.diff()):
        click.secho(
            printable(line),
            nl=False,
            fg=_COLOURS.get(line[0]) if output.color else None,
            bold=line[:3] in ("---", "+++"),
        )
    if not pending:
        output.note("Nothing to change: it is so already.")
    elif writes:
        output.note(f"\nWritten: {', '.join(str(change.path) for change in pending)}")
    else:
        output.note("\nNothing is written yet: --write does it.")
    for sentence in advice:
        output.note(f"- {sentence}")


def _list(output: Output, places: Places) -> None:
    found = [present(client, places) for client in CLIENTS]
    if output.as_json:
        output.document({"clients": [dataclasses.asdict(one) for one in found]})
        return
    rows = [
        (
            one.client,
            one.version or ("yes" if one.program else "not installed"),
            one.trouble or one.user or "-",
            one.project or "-",
        )
        for one in found
    ]
    output.table(_COLUMNS, rows)
