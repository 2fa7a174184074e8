"""Codex: `config.toml` for the server and its approval, `hooks.json` for the hooks."""

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
from waystation.connect.documents import Json, Toml, found
from waystation.connect.json_tree import Dialect
from waystation.connect.parts import Member
from waystation.connect.targets import SharedFile, Target

_ENTRY: Final = ("mcp_servers", SERVER)
_STARTUP_SECONDS: Final = 30
_EVENTS: Final = {
    "SessionStart": "session-start",
    "UserPromptSubmit": "prompt",
    "Stop": "stop",
}


class Codex:
    """OpenAI's Codex (seen with 0.169.0)."""

    name = "codex"
    title = "Codex"
    program = "codex"

    def targets(self, connection: Connection, scope: Scope, places: Places) -> tuple[Target, ...]:
        """Server, then hooks."""
        folder = places.named("CODEX_HOME") or places.home / ".codex"
        if scope is Scope.PROJECT:
            folder = places.project / ".codex"
        entry: dict[str, Any] = {
            "command": connection.program[0],
            "args": connection.server_arguments,
            "env": dict(connection.settings),
            # Else `codex exec` asks its model before the server is there, without its tools.
            "required": True,
            "startup_timeout_sec": _STARTUP_SECONDS,
            "tool_timeout_sec": LONGEST_CALL_SECONDS,
        }
        if connection.allow:
            entry["default_tools_approval_mode"] = "approve"
        server = SharedFile(
            path=folder / "config.toml",
            notation=Toml(),
            parts=(Member(path=_ENTRY, value=entry),),
        )
        if not connection.hooks:
            return (server,)
        hooks = tuple(
            hook_group(
                ("hooks", event), "codex", connection.hook("codex", ours), timeout=HOOK_SECONDS
            )
            for event, ours in _EVENTS.items()
        )
        return server, SharedFile(
            path=folder / "hooks.json", notation=Json(Dialect.STRICT), parts=hooks
        )

    def agent_of(self, values: dict[str, Any]) -> str | None:
        """As whom it is connected."""
        return agent_in(found(values, (*_ENTRY, "args")))

    def next_steps(self, connection: Connection, scope: Scope) -> tuple[str, ...]:
        """What is left to the user."""
        steps = ["Start codex anew; `codex mcp list` shows the server."]
        if connection.hooks:
            steps.append("Codex runs no hook before you trusted it: review them with /hooks.")
        if scope is Scope.PROJECT:
            steps.append("Codex reads a project's files only when the project is trusted.")
        if not connection.allow:
            steps.append(
                "It asks before tools that change something, and `codex exec` refuses them:"
                " --allow approves the server's tools for good."
            )
        return tuple(steps)
