"""OpenCode: `opencode run`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.mcp.agent_clis.agent_cli import PROMPT, events, merge
from tests.mcp.model_api import ModelApi
from tests.mcp.npm import Desk, Outcome
from tests.mcp.servers import Served, Stdio


class OpenCode:
    """`opencode run`."""

    name = "opencode"
    looks: Sequence[str] = ("opencode", "mcp", "list")
    sees = "connected"

    def configure(self, desk: Desk, served: Served) -> None:
        """Write the CLI's configuration of our server by hand, as its manual says."""
        entry: dict[str, Any]
        if isinstance(served, Stdio):
            entry = {"type": "local", "command": served.command}
        else:
            entry = {"type": "remote", "url": served.url}
        merge(desk.home / "opencode.json", {"mcp": {"waystation": entry}})

    def run(self, desk: Desk, model: ModelApi, tools: Sequence[str]) -> Outcome:
        """Let it work on a prompt; it asks nobody before it calls a tool of ours."""
        del tools
        scripted = {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": f"{model.url}/v1", "apiKey": "none"},
            "models": {"scripted": {"tool_call": True}},
        }
        names = dict.fromkeys(("model", "small_model"), "scripted/scripted")
        merge(desk.home / "opencode.json", {"provider": {"scripted": scripted}} | names)
        return desk.run(
            *("opencode", "run", "--format", "json", PROMPT),
            environ={"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"},
        )

    def went_well(self, outcome: Outcome) -> bool:
        """Whether it says that it ended well: its status alone says nothing."""
        parts = [event["part"] for event in events(outcome)]
        calls = [part for part in parts if part["type"] == "tool"]
        return parts[-1]["type"] == "step-finish" and all(
            call["state"]["status"] == "completed" for call in calls
        )
