"""`waystation profiles`: stations and identities under names, in the configuration file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

import click

from waystation.cli.context import Invocation, with_invocation
from waystation.cli.exit_codes import ExitCode
from waystation.cli.failures import Failure
from waystation.cli.options import CommandGroup
from waystation.cli.profile_file import ProfileFile, keep_token
from waystation.configuration import DEFAULT_URL, config_path, configured

_COLUMNS: Final = ("PROFILE", "URL", "AGENT", "TOKEN", "USED")


def _complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    del ctx, parameter
    return [name for name in ProfileFile(config_path()).profiles if name.startswith(incomplete)]


_name = click.argument("name", metavar="PROFILE", shell_complete=_complete)


@click.group("profiles", cls=CommandGroup)
def command() -> None:
    """Keep stations and identities under names."""


@command.command("list")
@with_invocation
def list_profiles(invocation: Invocation, /) -> None:
    """List the profiles of the configuration file."""
    file = ProfileFile(config_path())
    shown = [
        {"profile": name, **_shown(values), "used": name == file.chosen}
        for name, values in file.profiles.items()
    ]
    rows = [
        (one["profile"], one["url"], one["agent"], one["token"], "*" if one["used"] else "")
        for one in shown
    ]
    invocation.output.page({"profiles": shown}, _COLUMNS, rows, empty=f"{file.path} has none.")


@command.command("show")
@click.argument("name", metavar="[PROFILE]", required=False, shell_complete=_complete)
@with_invocation
def show(invocation: Invocation, /, *, name: str | None) -> None:
    """Show what holds now, and where it comes from; or with PROFILE, what would."""
    options = invocation.options
    found = configured(
        url=options.url,
        agent=options.agent,
        token_file=options.token_file,
        profile=name or options.profile,
    )
    token = "(not shown)" if found.token else None
    fields = {
        "file": str(config_path()),
        "profile": found.profile,
        "url": found.url,
        "agent": found.agent,
        "token": token,
        **{f"{setting} from": origin for setting, origin in found.origins.items()},
    }
    invocation.output.record(fields, fields)


@command.command("add")
@_name
@click.option("--token-stdin", is_flag=True, help="Read the token from standard input; keep it.")
@click.option("--replace", is_flag=True, help="Change the profile that is there.")
@click.option("--use", is_flag=True, help="Use it where none is named.")
@with_invocation
def add(
    invocation: Invocation, /, *, name: str, token_stdin: bool, replace: bool, use: bool
) -> None:
    """Add a profile of the --url, --as and --token-file that are given.

    A token from standard input goes to a file of its own beside the configuration, which nobody
    else can read.
    """
    options = invocation.options
    file = ProfileFile(config_path())
    if name in file.profiles and not replace:
        raise _taken(name)
    if token_stdin and options.token_file is not None:
        raise click.UsageError("Give --token-file or --token-stdin, not both.")
    # Whatever else is configured, this has to be usable by itself.
    alone = {"WAYSTATION_CONFIG": os.devnull}
    configured(url=options.url, token_file=options.token_file, environ=alone)
    token_file = options.token_file
    if token_stdin:
        token_file = str(token_path(name))
        keep_token(token_path(name), _token())
    elif token_file is not None:
        token_file = str(Path(token_file).expanduser().absolute())
    given = {"url": options.url, "agent": options.agent, "token_file": token_file}
    file.put(name, {key: value for key, value in given.items() if value is not None})
    if token_file is not None:
        file.put(name, {"token": None})  # it would count before the file
    if use:
        file.choose(name)
    file.save()
    _tell(invocation, file, name, "added")


@command.command("use")
@_name
@with_invocation
def use(invocation: Invocation, /, *, name: str) -> None:
    """Use this profile where none is named."""
    file = _having(name)
    file.choose(name)
    file.save()
    _tell(invocation, file, name, "used")


@command.command("remove")
@_name
@with_invocation
def remove(invocation: Invocation, /, *, name: str) -> None:
    """Remove a profile; a file with a token stays where it is."""
    file = _having(name)
    token_file = file.profiles[name].get("token_file")
    file.remove(name)
    file.save()
    invocation.output.result({"profile": name, "removed": True}, f"{name} removed")
    if token_file is not None and Path(token_file).expanduser().exists():
        invocation.output.note(f"Its token is still in {token_file}.")


def token_path(name: str) -> Path:
    """Where the token of a profile is kept. Raises `UsageError` for a name that is no file's."""
    if not name or name.startswith(".") or "/" in name or not name.isprintable():
        raise click.UsageError(f"{name!r} can't name a profile.")
    return config_path().parent / f"{name}.key"


def _having(name: str) -> ProfileFile:
    file = ProfileFile(config_path())
    if name not in file.profiles:
        known = ", ".join(file.profiles) or "none"
        raise Failure(
            f"{file.path} has no profile {name}; it has: {known}.",
            exit_code=ExitCode.NOT_FOUND,
            code="profile_not_found",
        )
    return file


def _taken(name: str) -> Failure:
    return Failure(
        f"There is a profile {name} already.",
        exit_code=ExitCode.CONFLICT,
        code="profile_taken",
        next_step="Choose another name, or change that one by --replace.",
    )


def _token() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Token", hide_input=True, err=True))
    token = sys.stdin.read().strip()
    if not token:
        raise click.UsageError("Standard input has no token.")
    return token


def _shown(values: dict[str, str]) -> dict[str, Any]:
    """A profile without its secret."""
    return {
        "url": values.get("url", DEFAULT_URL),
        "agent": values.get("agent"),
        "token": "(in the file)" if "token" in values else values.get("token_file"),
    }


def _tell(invocation: Invocation, file: ProfileFile, name: str, done: str) -> None:
    shown = {"profile": name, **_shown(file.profiles[name]), "used": name == file.chosen}
    invocation.output.result(shown, f"{name} {done}")
