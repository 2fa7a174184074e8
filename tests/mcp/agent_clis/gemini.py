"""Gemini CLI: `gemini -p`."""

from __future__ import annotations

from collections.abc import Sequence

from tests.mcp.agent_clis.agent_cli import PROMPT, events, merge
from tests.mcp.model_api import ModelApi
from tests.mcp.npm import Desk, Outcome
from tests.mcp.servers import Served, Stdio


class Gemini:
    """`gemini -p`."""

    name = "gemini"
    looks: Sequence[str] = ("gemini", "mcp", "list")
    sees = "- Connected"

    def configure(self, desk: Desk, served: Served) -> None:
        """Write the CLI's configuration of our server by hand, as its manual says."""
        if isinstance(served, Stdio):
            entry = {"command": served.command[0], "args": served.command[1:]}
        else:
            entry = {"httpUrl": served.url}
        document = {"mcpServers": {"waystation": entry}}
        merge(desk.home / ".gemini" / "settings.json", document)

    def run(self, desk: Desk, model: ModelApi, tools: Sequence[str]) -> Outcome:
        """Let it work on a prompt; these tools of ours it may call without asking anybody."""
        chosen = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
        merge(desk.home / ".gemini" / "settings.json", chosen)
        return desk.run(
            *("gemini", "-p", PROMPT, "-m", "gemini-2.5-flash", "--output-format", "stream-json"),
            *(f"--allowed-tools=mcp_waystation_{tool}" for tool in tools),
            environ={
                "GOOGLE_GEMINI_BASE_URL": model.url,
                "GEMINI_API_KEY": "none",
                "GEMINI_CLI_TRUST_WORKSPACE": "true",
            },
        )

    def went_well(self, outcome: Outcome) -> bool:
        """Whether it says that it ended well: its status alone says nothing."""
        found = events(outcome)
        calls = [event for event in found if event["type"] == "tool_result"]
        return found[-1].get("status") == "success" and all(
            call["status"] == "success" for call in calls
        )
