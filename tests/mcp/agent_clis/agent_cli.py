"""What a test asks of an agent CLI, whichever it is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from tests.mcp.model_api import ModelApi
from tests.mcp.npm import Desk, Outcome
from tests.mcp.servers import Served

PROMPT = "Work through what waits for you on Waystation."


class AgentCli(Protocol):
    """One agent CLI."""

    name: str
    looks: Sequence[str]
    """The command by which it says what it is connected to."""
    sees: str
    """What it then says of a server that it reached, or is set up to start."""

    def configure(self, desk: Desk, served: Served) -> None:
        """Write the CLI's configuration of our server by hand, as its manual says."""

    def run(self, desk: Desk, model: ModelApi, tools: Sequence[str]) -> Outcome:
        """Let it work on a prompt; these tools of ours it may call without asking anybody."""

    def went_well(self, outcome: Outcome) -> bool:
        """Whether it says that it ended well: its status alone says nothing."""


def events(outcome: Outcome) -> list[dict[str, Any]]:
    """Return what it printed: one document a line, between other lines."""
    return [json.loads(line) for line in outcome.output.splitlines() if line.startswith("{")]


def merge(path: Path, document: dict[str, Any]) -> None:
    """Add members to a document, which may not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(before | document))
