"""The tools: a group a file, and the table of them all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from waystation.mcp.tool import Tool
from waystation.mcp.tools import (
    channels,
    claims,
    dead_letters,
    direct_messages,
    looking,
    more,
    receiving,
    recurring,
    sending,
    status,
)

CORE: Final[Sequence[Tool]] = (*sending.CORE, *receiving.TOOLS, *looking.TOOLS, *more.TOOLS)
"""What every client is shown; ten at most (SPEC I3)."""

GROUPS: Final[Mapping[str, Sequence[Tool]]] = {
    "sending": sending.TOOLS,
    "channels": channels.TOOLS,
    "direct": direct_messages.TOOLS,
    "claims": claims.TOOLS,
    "dead_letters": dead_letters.TOOLS,
    "recurring": recurring.TOOLS,
    "status": status.TOOLS,
}
"""What is shown on request."""

ALL: Final[Mapping[str, Tool]] = {
    tool.name: tool for tool in (*CORE, *(tool for group in GROUPS.values() for tool in group))
}
