"""Codex: `codex exec`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.mcp.agent_clis.agent_cli import PROMPT, events
from tests.mcp.model_api import ModelApi
from tests.mcp.npm import Desk, Outcome
from tests.mcp.servers import Served, Stdio


class Codex:
    """`codex exec`."""

    name = "codex"
    looks: Sequence[str] = ("codex", "mcp", "get", "waystation")
    sees = "enabled: true"

    def configure(self, desk: Desk, served: Served) -> None:
        """Write the CLI's configuration of our server by hand, as its manual says."""
        if isinstance(served, Stdio):
            command, *arguments = (json.dumps(word) for word in served.command)
            entry = f"command = {command}\nargs = [{', '.join(arguments)}]\n"
        else:
            entry = f"url = {json.dumps(served.url)}\n"
        config = desk.home / ".codex" / "config.toml"
        config.parent.mkdir()
        config.write_text(f"[mcp_servers.waystation]\n{entry}required = true\n")

    def run(self, desk: Desk, model: ModelApi, tools: Sequence[str]) -> Outcome:
        """Let it work on a prompt; these tools of ours it may call without asking anybody."""
        settings = {
            "model": "gpt-5.1-codex",
            "model_provider": "scripted",
            "model_providers.scripted.name": "scripted",
            "model_providers.scripted.base_url": f"{model.url}/v1",
            "model_providers.scripted.env_key": "SCRIPTED_KEY",
            "model_providers.scripted.wire_api": "responses",
        } | {f"mcp_servers.waystation.tools.{tool}.approval_mode": "approve" for tool in tools}
        options = [f"--config={name}={json.dumps(value)}" for name, value in settings.items()]
        return desk.run(
            *("codex", "exec", "--json", "--skip-git-repo-check", "-s", "workspace-write"),
            "--dangerously-bypass-hook-trust",  # which a user gives by /hooks
            *(*options, PROMPT),
            environ={"SCRIPTED_KEY": "none"},
        )

    def went_well(self, outcome: Outcome) -> bool:
        """Whether it says that it ended well: its status alone says nothing."""
        found = events(outcome)
        items = [event["item"] for event in found if event["type"] == "item.completed"]
        calls = [item for item in items if item["type"] == "mcp_tool_call"]
        return found[-1]["type"] == "turn.completed" and all(
            call["status"] == "completed" for call in calls
        )
