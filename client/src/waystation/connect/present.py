"""Which agent CLIs are on this machine, and as whom they are connected."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

from waystation.connect import files
from waystation.connect.client import Client, Connection, Places, Scope
from waystation.connect.documents import UnreadableError
from waystation.connect.files import FileError
from waystation.connect.targets import SharedFile

_VERSION: Final = re.compile(r"\d+(?:\.\d+)+[\w.+-]*")
_VERSION_SECONDS: Final = 10
_ANYBODY: Final = Connection(agent="", program=("waystation",))


@dataclass(frozen=True, kw_only=True)
class Present:
    """One client, as it is here."""

    client: str
    title: str
    program: str | None
    """Where its command is; None where it is not installed."""
    version: str | None
    user: str | None
    """The agent that it is in all of this user's sessions; None where it is not connected."""
    project: str | None
    """The agent that it is in this project."""
    trouble: str | None = None
    """What keeps its configuration from being read."""


def present(client: Client, places: Places) -> Present:
    """How things stand with a client."""
    program = shutil.which(client.program, path=places.environ.get("PATH"))
    agents: dict[Scope, str | None] = {}
    trouble = None
    for scope in Scope:
        try:
            agents[scope] = _agent(client, scope, places)
        except (UnreadableError, FileError) as error:
            trouble = str(error)
    return Present(
        client=client.name,
        title=client.title,
        program=program,
        version=_version(program) if program else None,
        user=agents.get(Scope.USER),
        project=agents.get(Scope.PROJECT),
        trouble=trouble,
    )


def _agent(client: Client, scope: Scope, places: Places) -> str | None:
    target = client.targets(_ANYBODY, scope, places)[0]
    text = files.read(target.path)
    if not isinstance(target, SharedFile) or text is None or not text.strip():
        return None
    try:
        return client.agent_of(target.notation.read(text))
    except UnreadableError as error:
        raise UnreadableError(f"{target.path}: {error}") from error


def _version(program: str) -> str | None:
    try:
        said = subprocess.run(  # noqa: S603 - the client's own command, found on PATH
            [program, "--version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(said)
    return found.group() if found else None
