"""What `connect` knows of an agent CLI: one small interface, and the values that go through it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final, Protocol

from waystation.connect.documents import KeyPath
from waystation.connect.parts import Element
from waystation.connect.targets import Target

SERVER: Final = "waystation"
"""The name of the MCP server in every client."""
LONGEST_CALL_SECONDS: Final = 900
"""How long a client lets a tool wait: a question to another agent may take minutes."""
HOOK_SECONDS: Final = 5
"""When a client gives a hook up; the hook itself ends within two seconds."""
_OPTIONS: Final = {
    "WAYSTATION_URL": "--url",
    "WAYSTATION_PROFILE": "--profile",
    "WAYSTATION_TOKEN_FILE": "--token-file",
    "WAYSTATION_CONFIG": "--config",
}


class Scope(Enum):
    """For which sessions of the client the connection holds."""

    USER = "user"
    PROJECT = "project"


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where this user's files are."""

    home: Path
    project: Path
    """The root of the work tree, or the current directory outside of one."""
    environ: Mapping[str, str]

    @classmethod
    def here(cls, environ: Mapping[str, str], directory: Path) -> Places:
        """Those of a process."""
        roots = (one for one in (directory, *directory.parents) if (one / ".git").exists())
        return cls(home=Path.home(), project=next(roots, directory), environ=environ)

    def named(self, variable: str) -> Path | None:
        """The place that a variable of the environment names."""
        value = self.environ.get(variable)
        return Path(value).expanduser().absolute() if value else None


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Who is connected to which station, and how our program is started."""

    agent: str
    program: Sequence[str]
    """The command line's absolute start, such as `/home/alice/.venv/bin/waystation`."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """`WAYSTATION_*`, never a token: files named here are read by many programs."""
    hooks: bool = True
    allow: bool = False

    @property
    def server_arguments(self) -> list[str]:
        """What follows the program to run the MCP server."""
        return [*self.program[1:], "mcp", "--agent", self.agent]

    def hook(self, client: str, event: str) -> list[str]:
        """The command that a client runs at an event."""
        options = [
            word
            for name, option in _OPTIONS.items()
            if name in self.settings
            for word in (option, self.settings[name])
        ]
        return [*self.program, "hook", client, event, "--agent", self.agent, *options]


class Client(Protocol):
    """An agent CLI that can be connected."""

    name: str
    """As it is called on our command line."""
    title: str
    """As its makers call it."""
    program: str
    """Its command."""

    def targets(self, connection: Connection, scope: Scope, places: Places) -> tuple[Target, ...]:
        """The files that make the connection; the first holds the server's entry."""

    def agent_of(self, values: dict[str, Any]) -> str | None:
        """As whom the first file's values connect; None where they don't."""

    def next_steps(self, connection: Connection, scope: Scope) -> tuple[str, ...]:
        """What is left to the user, a sentence each."""


def hook_group(
    key: KeyPath,
    client: str,
    command: Sequence[str],
    *,
    timeout: int,
    matcher: str | None = None,
    name: str | None = None,
) -> Element:
    """A group with one command in the form that Claude Code has and others took over."""
    handler: dict[str, Any] = {"type": "command", "command": shlex.join(command)}
    if name is not None:
        handler["name"] = name
    handler["timeout"] = timeout
    group: dict[str, Any] = {} if matcher is None else {"matcher": matcher}
    return Element(path=key, value={**group, "hooks": [handler]}, is_ours=_is_hook_of(client))


def _is_hook_of(client: str) -> Callable[[object], bool]:
    def is_ours(group: object) -> bool:
        handlers = group.get("hooks") if isinstance(group, dict) else None
        return (
            isinstance(handlers, list)
            and bool(handlers)
            and all(
                isinstance(one, dict) and is_hook_command(str(one.get("command")), client)
                for one in handlers
            )
        )

    return is_ours


def is_hook_command(command: str, client: str) -> bool:
    """Whether a command line runs our hook of a client."""
    return SERVER in command and f" hook {client} " in command


def agent_in(arguments: object) -> str | None:
    """The agent that the arguments of our server name."""
    match arguments:
        case [*_, "mcp", "--agent", str(agent)]:
            return agent
    return None
