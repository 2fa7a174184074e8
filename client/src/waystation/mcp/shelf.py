"""Which tools are listed: the core, and the groups that were asked for."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from waystation.mcp.tool import RefusedError, Tool
from waystation.mcp.tools import ALL, CORE, GROUPS


class ToolShelf:
    """The tools of one server; its clients share what was asked for."""

    def __init__(self) -> None:
        self._shown: set[str] = set()

    def listed(self) -> Sequence[Tool]:
        """What is listed now."""
        asked = (tool for name, group in GROUPS.items() if name in self._shown for tool in group)
        return (*CORE, *asked)

    def show(self, group: str) -> Sequence[Tool]:
        """List the tools of a group from now on. Raises `RefusedError`."""
        if group not in GROUPS:
            raise RefusedError(_unknown("group", group, GROUPS))
        self._shown.add(group)
        return GROUPS[group]

    def find(self, name: str) -> Tool:
        """The tool of this name, listed or not."""
        if name not in ALL:
            raise RefusedError(_unknown("tool", name, ALL))
        return ALL[name]

    def groups(self) -> Mapping[str, str]:
        """Each group, with what its tools are called."""
        return {name: ", ".join(tool.name for tool in group) for name, group in GROUPS.items()}


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, n=3) or known
    return f"There is no {what} {name}. There is: {', '.join(near)}."
