"""Claude Code: `.claude.json` or `.mcp.json` for the server, `settings.json` for the rest."""

from __future__ import annotations

from typing import Any, Final

from waystation.connect.client import (
    HOOK_SECONDS,
    LONGEST_CALL_SECONDS,
    SERVER,
    Connection,
    Places,
    Scope,
    agent_in,
    hook_group,
)
from waystation.connect.documents import Json, found
from waystation.connect.json_tree import Dialect
from waystation.connect.parts import Element, Member, Part
from waystation.connect.targets import SharedFile, Target

_ENTRY: Final = ("mcpServers", SERVER)
_NOTATION: Final = Json(Dialect.STRICT)
_EVENTS: Final = {
    "SessionStart": "session-start",
    "UserPromptSubmit": "prompt",
    "Stop": "stop",
}


class Claude:
    """Claude Code (seen with 2.1.329)."""

    name = "claude"
    title = "Claude Code"
    program = "claude"

    def targets(self, connection: Connection, scope: Scope, places: Places) -> tuple[Target, ...]:
        """Server, then settings.

        A project's server stands in the file that is meant to be shared, but its hooks in the
        local settings: their paths are of this machine.
        """
        named = places.named("CLAUDE_CONFIG_DIR")
        if scope is Scope.PROJECT:
            servers = places.project / ".mcp.json"
            settings = places.project / ".claude" / "settings.local.json"
        else:
            servers = (named or places.home) / ".claude.json"
            settings = (named or places.home / ".claude") / "settings.json"
        entry = {
            "type": "stdio",
            "command": connection.program[0],
            "args": connection.server_arguments,
            "env": dict(connection.settings),
            "timeout": LONGEST_CALL_SECONDS * 1000,
            # A model that has to search for our tools first does not look into its inbox.
            "alwaysLoad": True,
        }
        server = SharedFile(
            path=servers, notation=_NOTATION, parts=(Member(path=_ENTRY, value=entry),)
        )
        parts = (*_hooks(connection), *_allowed(connection, scope))
        if not parts:
            return (server,)
        return server, SharedFile(path=settings, notation=_NOTATION, parts=parts)

    def agent_of(self, values: dict[str, Any]) -> str | None:
        """As whom it is connected."""
        return agent_in(found(values, (*_ENTRY, "args")))

    def next_steps(self, connection: Connection, scope: Scope) -> tuple[str, ...]:
        """What is left to the user."""
        steps = ["Start claude anew; /mcp shows the server."]
        if scope is Scope.PROJECT:
            steps.append("It uses a project's server and hooks only in a folder that you trust.")
        if not connection.allow and scope is Scope.PROJECT:
            steps.append("It asks once whether to use the project's server; --allow answers that.")
        if not connection.allow:
            steps.append("It asks before each tool: --allow approves the server's tools for good.")
        return tuple(steps)


def _hooks(connection: Connection) -> tuple[Part, ...]:
    if not connection.hooks:
        return ()
    return tuple(
        hook_group(
            ("hooks", event), "claude", connection.hook("claude", ours), timeout=HOOK_SECONDS
        )
        for event, ours in _EVENTS.items()
    )


def _allowed(connection: Connection, scope: Scope) -> tuple[Part, ...]:
    if not connection.allow:
        return ()
    tools = _exactly(("permissions", "allow"), f"mcp__{SERVER}")
    if scope is Scope.USER:
        return (tools,)
    return tools, _exactly(("enabledMcpjsonServers",), SERVER)


def _exactly(path: tuple[str, ...], value: str) -> Element:
    return Element(path=path, value=value, is_ours=lambda one: bool(one == value))
