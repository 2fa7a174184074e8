"""`waystation connect`: puts Waystation into an agent CLI's configuration, and takes it out."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from waystation.configuration import Configuration, configured
from waystation.connect import plan
from waystation.connect.client import Client, Connection, Places, Scope
from waystation.connect.ledger import Ledger, state_directory
from waystation.connect.outlook import Outlook, outlook, register
from waystation.connect.plan import Change
from waystation.connect.present import present
from waystation.connect.registry import BY_NAME, CLIENTS
from waystation.connect.setting import program, settings
from waystation.errors import ConfigurationError

_COLOURS: Final = {"+": "green", "-": "red", "@": "cyan"}


@click.command("connect")
@click.argument("name", metavar="CLIENT", required=False, type=click.Choice(list(BY_NAME)))
@click.option("--agent", "--as", "agent", help="Which agent the client is.")
@click.option("--url", help="Where the station is, if the profile does not say it.")
@click.option("--profile", help="The profile of the configuration file.")
@click.option("--token-file", metavar="FILE", help="The file that has the token.")
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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(name: str | None, **options: Any) -> None:  # noqa: ANN401 - checked by click
    """Connect CLIENT (claude, codex, gemini or opencode) to Waystation.

    Shows the change to the client's configuration files; --write makes it, and keeps what they said
    before. No token is written into them: name a profile or --token-file.
    """
    places = Places.here(os.environ, Path.cwd())
    as_json: bool = options["as_json"]
    if options["lists"]:
        _list(places, as_json=as_json)
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
        _carry_out(changes, ledger, writes=options["writes"], as_json=as_json)
        return
    configuration = _configuration(options)
    connection = Connection(
        agent=str(configuration.agent),
        program=program(),
        settings=settings(
            os.environ,
            url=options["url"],
            profile=options["profile"],
            token_file=options["token_file"],
        ),
        hooks=options["hooks"],
        allow=options["allow"],
    )
    changes = [
        change
        for client in clients
        for change in plan.connecting(client.targets(connection, scope, places), ledger)
    ]
    if options["registers"]:
        register(configuration, connection.agent)
    seen = outlook(configuration, connection.agent, os.environ)
    steps = [step for client in clients for step in client.next_steps(connection, scope)]
    _carry_out(changes, ledger, writes=options["writes"], as_json=as_json, seen=seen, steps=steps)


def _chosen(name: str | None, *, everyone: bool) -> list[Client]:
    if everyone == (name is not None):
        raise click.UsageError("Name one client, or say --all or --list.")
    if name is not None:
        return [BY_NAME[name]]
    installed = [client for client in CLIENTS if shutil.which(client.program)]
    if not installed:
        raise click.UsageError(f"None is on PATH of {', '.join(BY_NAME)}.")
    return installed


def _configuration(options: dict[str, Any]) -> Configuration:
    environ = dict(os.environ)
    if options["token_file"]:
        environ["WAYSTATION_TOKEN_FILE"] = options["token_file"]
    found = configured(
        url=options["url"], agent=options["agent"], profile=options["profile"], environ=environ
    )
    if found.agent is None:
        raise ConfigurationError("Which agent is the client? Name it: --agent alice.")
    return found


def _carry_out(
    changes: Sequence[Change],
    ledger: Ledger,
    *,
    writes: bool,
    as_json: bool,
    seen: Outlook | None = None,
    steps: Sequence[str] = (),
) -> None:
    """Show the changes, and write them where that was asked for."""
    pending = [change for change in changes if not change.is_empty]
    if writes:
        plan.write(changes, ledger)
    advice = [*(seen.advice if seen else ()), *(steps if writes else ())]
    if as_json:
        files = [
            {
                "path": str(change.path),
                "changed": not change.is_empty,
                "diff": "".join(change.diff()),
            }
            for change in changes
        ]
        click.echo(json.dumps({"written": writes, "files": files, "advice": advice}))
        return
    for line in (line for change in pending for line in change.diff()):
        click.secho(line, nl=False, fg=_COLOURS.get(line[0]), bold=line[:3] in ("---", "+++"))
    if not pending:
        click.echo("Nothing to change: it is so already.", err=True)
    elif writes:
        click.echo(f"\nWritten: {', '.join(str(change.path) for change in pending)}", err=True)
        if seen is not None:
            click.echo("The same command with --undo takes it back.", err=True)
    else:
        click.echo("\nNothing is written yet: --write does it.", err=True)
    for sentence in advice:
        click.echo(f"- {sentence}", err=True)


def _list(places: Places, *, as_json: bool) -> None:
    found = [present(client, places) for client in CLIENTS]
    if as_json:
        click.echo(json.dumps({"clients": [dataclasses.asdict(one) for one in found]}))
        return
    for one in found:
        here = one.version or ("installed" if one.program else "not installed")
        roles = [
            f"{agent} ({scope})"
            for agent, scope in ((one.user, "user"), (one.project, "project"))
            if agent
        ]
        connected = "connected as " + " and ".join(roles) if roles else "not connected"
        click.echo(f"{one.client:<9} {here:<14} {one.trouble or connected}")
