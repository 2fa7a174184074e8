"""OpenCode: `opencode.json` for server and approval, a plugin for what others have hooks for."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import Any, Final

from waystation.connect.client import (
    LONGEST_CALL_SECONDS,
    SERVER,
    Connection,
    Places,
    Scope,
    agent_in,
)
from waystation.connect.documents import Json, found
from waystation.connect.json_tree import Dialect
from waystation.connect.parts import Member, Part
from waystation.connect.targets import OwnFile, SharedFile, Target

_ENTRY: Final = ("mcp", SERVER)
_PLUGIN: Final = Template((Path(__file__).parent / "opencode_plugin.js").read_text())


class OpenCode:
    """OpenCode (seen with 1.18.33)."""

    name = "opencode"
    title = "OpenCode"
    program = "opencode"

    def targets(self, connection: Connection, scope: Scope, places: Places) -> tuple[Target, ...]:
        """Server and approval, then the plugin."""
        config, plugins = _files(scope, places)
        entry: dict[str, Any] = {
            "type": "local",
            "command": [connection.program[0], *connection.server_arguments],
            "environment": dict(connection.settings),
            "enabled": True,
            "timeout": LONGEST_CALL_SECONDS * 1000,
        }
        parts: list[Part] = [Member(path=_ENTRY, value=entry)]
        if connection.allow:
            parts.append(Member(path=("permission", f"{SERVER}_*"), value="allow"))
        server = SharedFile(path=config, notation=Json(Dialect.RELAXED), parts=tuple(parts))
        if not connection.hooks:
            return (server,)
        commands = {event: connection.hook("opencode", event) for event in ("prompt", "stop")}
        text = _PLUGIN.substitute(commands=json.dumps(commands, indent=2))
        return server, OwnFile(path=plugins / f"{SERVER}.js", text=text)

    def agent_of(self, values: dict[str, Any]) -> str | None:
        """As whom it is connected."""
        return agent_in(found(values, (*_ENTRY, "command")))

    def next_steps(self, connection: Connection, scope: Scope) -> tuple[str, ...]:
        """What is left to the user."""
        del scope
        steps = ["Start opencode anew; `opencode mcp list` shows the server."]
        if not connection.allow:
            steps.append(
                "It uses tools without asking, unless its `permission` says otherwise:"
                " --allow then approves the server's tools."
            )
        return tuple(steps)


def _files(scope: Scope, places: Places) -> tuple[Path, Path]:
    """The configuration file that is there, or would be made, and the folder of plugins."""
    if scope is Scope.PROJECT:
        folder = places.project
        config = _first(folder / "opencode.jsonc", folder / "opencode.json")
        return config, folder / ".opencode" / "plugins"
    base = places.named("XDG_CONFIG_HOME") or places.home / ".config"
    folder = places.named("OPENCODE_CONFIG_DIR") or base / "opencode"
    config = places.named("OPENCODE_CONFIG") or _first(
        folder / "opencode.jsonc", folder / "config.json", folder / "opencode.json"
    )
    return config, folder / "plugins"


def _first(*candidates: Path) -> Path:
    """The first that is there, else the last."""
    return next((one for one in candidates if one.exists()), candidates[-1])
