"""Claude Code: `claude -p`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tests.mcp.agent_clis.agent_cli import PROMPT, events
from tests.mcp.model_api import ModelApi
from tests.mcp.npm import Desk, Outcome
from tests.mcp.servers import Served, Stdio


class ClaudeCode:
    """`claude -p`."""

    name = "claude"
    looks: Sequence[str] = ("claude", "mcp", "get", "waystation")
    sees = "✔ Connected"

    def configure(self, desk: Desk, served: Served) -> None:
        """Write the CLI's configuration of our server by hand, as its manual says."""
        entry: dict[str, Any]
        if isinstance(served, Stdio):
            entry = {"command": served.command[0], "args": served.command[1:]}
        else:
            entry = {"type": "http", "url": served.url}
        document = {"mcpServers": {"waystation": entry}}
        (desk.home / "mcp.json").write_text(json.dumps(document))

    def run(self, desk: Desk, model: ModelApi, tools: Sequence[str]) -> Outcome:
        """Let it work on a prompt; these tools of ours it may call without asking anybody."""
        by_hand = desk.home / "mcp.json"
        servers = ("--mcp-config", str(by_hand), "--strict-mcp-config") if by_hand.exists() else ()
        return desk.run(
            *("claude", "-p", PROMPT, "--output-format", "stream-json", "--verbose"),
            *servers,
            *(f"--allowedTools=mcp__waystation__{tool}" for tool in tools),
            environ={
                "ANTHROPIC_BASE_URL": model.url,
                "ANTHROPIC_API_KEY": "none",
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
                "DISABLE_AUTOUPDATER": "1",
            },
        )

    def went_well(self, outcome: Outcome) -> bool:
        """Whether it says that it ended well: its status alone says nothing."""
        last = events(outcome)[-1]
        return outcome.status == 0 and not last["is_error"] and not last["permission_denials"]
