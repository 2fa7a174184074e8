"""Who looks: whose things a reader may see. Every context leaves out of its answers what isn't."""

from __future__ import annotations

from typing import Final

from broker.kernel.ids import AgentId

Viewer = frozenset[AgentId] | None
"""Whose things may be seen: those of these agents, or everybody's (None)."""

EVERYONE: Final[Viewer] = None
"""The view of operators, and of the station itself."""


def includes(viewer: Viewer, agent: AgentId) -> bool:
    """Whether this agent's own things are the viewer's to see and to change."""
    return viewer is None or agent in viewer
