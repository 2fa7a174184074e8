"""Picking agents from the register by what they are (SPEC R7)."""

from __future__ import annotations

from dataclasses import dataclass

from broker.directory.agents import Agent, AgentKind, Presence


@dataclass(frozen=True, kw_only=True)
class AgentFilter:
    """Which agents are meant; None for any."""

    tag: str | None = None
    label: str | None = None
    capability: str | None = None
    presence: Presence | None = None
    kind: AgentKind | None = None

    def accepts(self, agent: Agent) -> bool:
        """Whether this agent is meant."""
        profile = agent.profile
        return (
            (self.tag is None or self.tag in profile.tags)
            and (self.label is None or self.label == profile.label)
            and (self.capability is None or self.capability in profile.capabilities)
            and (self.presence is None or self.presence is agent.presence)
            and (self.kind is None or self.kind is profile.kind)
        )
