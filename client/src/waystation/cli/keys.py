"""`waystation keys`: who may do what, for admins (SPEC Z1)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import msgspec

from waystation.answers import IssuedKey, Key
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.drafts import Moment
from waystation.cli.durations import DURATION
from waystation.cli.exit_codes import ExitCode
from waystation.cli.failures import Failure
from waystation.cli.options import CommandGroup
from waystation.cli.paging import paged
from waystation.cli.profile_file import ProfileFile, keep_token
from waystation.cli.profiles import token_path
from waystation.configuration import config_path
from waystation.connect import files
from waystation.connect.files import FileError

_COLUMNS: Final = ("KEY", "NAME", "SCOPES", "STATUS", "EXPIRES", "LAST USED", "CREATED BY")
_AGENT: Final = "agent:"

_key = click.argument("key_id", metavar="KEY")
_save = click.option(
    "--save",
    metavar="PROFILE",
    help="Keep the token in a file of yours and a profile of this name, instead of printing it.",
)


@click.group("keys", cls=CommandGroup)
def command() -> None:
    """Make, rotate and revoke keys."""


@command.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    metavar="SCOPE",
    help="agent:ID, operator, admin or integration:NAME; several times for several.",
)
@click.option("--expires-in", "expires_in_seconds", type=DURATION, help="It ends after so long.")
@click.option("--expires-at", type=Moment(), help="It ends then; never where neither is said.")
@_save
@with_invocation
def create(
    invocation: Invocation,
    /,
    *,
    name: str,
    scopes: tuple[str, ...],
    save: str | None,
    **ends: Any,  # noqa: ANN401 - checked by click
) -> None:
    """Make a key; NAME says what it is for.

    The token is printed this once.
    """
    if save is not None and save in ProfileFile(config_path()).profiles:
        raise Failure(
            f"There is a profile {save} already.",
            exit_code=ExitCode.CONFLICT,
            code="profile_taken",
            next_step="Choose another name; no key was made.",
        )
    _check_can_save(save)
    _hand_over(invocation, invocation.station.keys.create(name, scopes, **ends), save)


@command.command("list")
@paged
@with_invocation
def list_keys(invocation: Invocation, /, *, limit: int | None, cursor: str | None) -> None:
    """List keys, newest first, without their secrets."""
    page = invocation.station.keys.list(limit=limit, cursor=cursor)
    rows = [
        (
            one.id,
            one.name,
            one.scopes,
            one.status,
            one.expires_at,
            one.last_used_at,
            one.created_by,
        )
        for one in page.keys
    ]
    invocation.output.page(page, _COLUMNS, rows, empty="No keys.", cursor=page.cursor)


@command.command("show")
@_key
@with_invocation
def show(invocation: Invocation, /, *, key_id: str) -> None:
    """Show a key, and when it was last used."""
    key = invocation.station.keys.get(key_id)
    invocation.output.record(key, _fields(key))


@command.command("rotate")
@_key
@click.option(
    "--overlap", "overlap_seconds", type=DURATION, help="The old secret goes on for so long."
)
@_save
@with_invocation
def rotate(
    invocation: Invocation, /, *, key_id: str, overlap_seconds: float | None, save: str | None
) -> None:
    """Give a key a new secret; the token is printed this once."""
    _check_can_save(save)
    issued = invocation.station.keys.rotate(key_id, overlap_seconds=overlap_seconds)
    _hand_over(invocation, issued, save)


@command.command("revoke")
@_key
@with_invocation
def revoke(invocation: Invocation, /, *, key_id: str) -> None:
    """End a key for good."""
    key = invocation.station.keys.revoke(key_id)
    invocation.output.result(key, f"{key.id} {key.status}")


def _check_can_save(profile: str | None) -> None:
    """Fail before a token exists that could then be kept nowhere."""
    if profile is None:
        return
    probe = token_path(profile).with_suffix(".probe")
    try:
        files.replace(probe, "")
        probe.unlink()
    except FileError as error:
        raise Failure(str(error), next_step="No key was made or changed.") from error


def _hand_over(invocation: Invocation, issued: IssuedKey, profile: str | None) -> None:
    output = invocation.output
    if profile is None:
        output.result(issued, issued.token)
        output.note(f"{issued.id}: this is shown once; `--save PROFILE` keeps it in a file.")
        return
    path = token_path(profile)
    keep_token(path, issued.token)
    _keep_profile(profile, invocation.configuration.url, issued, path)
    kept: dict[str, Any] = msgspec.to_builtins(issued)
    del kept["token"]
    output.result(
        kept | {"profile": profile, "token_file": str(path)},
        f"{issued.id}: its token is in {path}; use it by --profile {profile}",
    )


def _keep_profile(name: str, url: str, issued: IssuedKey, path: Path) -> None:
    agents = [scope.removeprefix(_AGENT) for scope in issued.scopes if scope.startswith(_AGENT)]
    values: dict[str, str | None] = {"url": url, "token_file": str(path), "token": None}
    if len(agents) == 1:
        values["agent"] = agents[0]
    file = ProfileFile(config_path())
    file.put(name, values)
    file.save()


def _fields(key: Key) -> dict[str, object]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": key.scopes,
        "status": key.status,
        "created": key.created_at,
        "created by": key.created_by,
        "expires": key.expires_at,
        "last used": key.last_used_at,
        "rotated": key.rotated_at,
        "revoked": key.revoked_at,
    }
