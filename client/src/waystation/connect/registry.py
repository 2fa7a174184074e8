"""The agent CLIs that can be connected."""

from __future__ import annotations

from typing import Final

from waystation.connect.claude import Claude
from waystation.connect.client import Client
from waystation.connect.codex import Codex
from waystation.connect.gemini import Gemini
from waystation.connect.opencode import OpenCode

CLIENTS: Final[tuple[Client, ...]] = (Claude(), Codex(), Gemini(), OpenCode())
BY_NAME: Final = {client.name: client for client in CLIENTS}
