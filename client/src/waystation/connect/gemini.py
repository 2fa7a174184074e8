"""Gemini CLI: `settings.json` for server, approval and hooks."""

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
from waystation.connect.parts import Member, Part
from waystation.connect.targets import SharedFile, Target

_ENTRY: Final = ("mcpServers", SERVER)
_EVENTS: Final = {
    "SessionStart": "session-start",
    "BeforeAgent": "prompt",
    "AfterAgent": "stop",
}


class Gemini:
    """Google's Gemini CLI (seen with 0.61.0)."""

    name = "gemini"
    title = "Gemini CLI"
    program = "gemini"

    def targets(self, connection: Connection, scope: Scope, places: Places) -> tuple[Target, ...]:
        """The one file. What a system's settings say goes before it and is not ours to change."""
        home = places.named("GEMINI_CLI_HOME") or places.home
        folder = places.project if scope is Scope.PROJECT else home
        entry: dict[str, Any] = {
            "command": connection.program[0],
            "args": connection.server_arguments,
            "env": dict(connection.settings),
            "timeout": LONGEST_CALL_SECONDS * 1000,
        }
        if connection.allow:
            entry["trust"] = True
        parts: list[Part] = [Member(path=_ENTRY, value=entry)]
        if connection.hooks:
            parts += [
                hook_group(
                    ("hooks", event),
                    "gemini",
                    connection.hook("gemini", ours),
                    timeout=HOOK_SECONDS * 1000,
                    name=f"{SERVER}-{ours}",
                )
                for event, ours in _EVENTS.items()
            ]
        return (
            SharedFile(
                path=folder / ".gemini" / "settings.json",
                notation=Json(Dialect.COMMENTS),
                parts=tuple(parts),
            ),
        )

    def agent_of(self, values: dict[str, Any]) -> str | None:
        """As whom it is connected."""
        return agent_in(found(values, (*_ENTRY, "args")))

    def next_steps(self, connection: Connection, scope: Scope) -> tuple[str, ...]:
        """What is left to the user."""
        del scope
        steps = [
            "Start gemini anew; /mcp shows the server.",
            "In a folder that you have not trusted gemini starts no server at all.",
        ]
        if not connection.allow:
            steps.append("It asks before each tool: --allow trusts the server's tools.")
        return tuple(steps)
