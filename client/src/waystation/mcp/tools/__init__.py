"""The tools: a group a file, and the table of them all."""

from __future__ import annotations

from typing import Final

from waystation.mcp.tool import Tool
from waystation.mcp.tools import core

CORE: Final[tuple[Tool, ...]] = core.TOOLS
"""What every client is shown; ten at most."""
