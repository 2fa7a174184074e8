"""Who asks: what a caller was proven to be, whichever way it came (SPEC Z1, Z2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from broker.kernel.ids import AgentId
from broker.kernel.viewer import EVERYONE, Viewer

USER: Final = AgentId("user")


class Role(StrEnum):
    """What a caller may do beyond speaking as an agent."""

    OPERATOR = "operator"  # sees everything, mends what is stuck, and is the human behind `user`
    ADMIN = "admin"  # an operator who also decides who else may come in


@dataclass(frozen=True, kw_only=True)
class Principal:
    """A caller: the agents that it may speak as, and its roles.

    Nobody speaks as an agent without being given its scope, not even an admin. `name` tells callers
    apart in limits and logs and holds no secret. `expires_at` (ms) is when the proof ends.
    """

    name: str
    agents: frozenset[AgentId] = frozenset()
    roles: frozenset[Role] = frozenset()
    integrations: frozenset[str] = frozenset()
    is_anyone: bool = False
    expires_at: int | None = None

    @property
    def is_admin(self) -> bool:
        """Whether it may decide who else comes in."""
        return self.is_anyone or Role.ADMIN in self.roles

    @property
    def is_operator(self) -> bool:
        """Whether it sees everything and may mend it; admins are operators as well."""
        return self.is_admin or Role.OPERATOR in self.roles

    @property
    def viewer(self) -> Viewer:
        """Whose things it may see."""
        return EVERYONE if self.is_operator else self.agents

    def may_act_as(self, agent: AgentId) -> bool:
        """Whether it may send, fetch and finish as this agent (SPEC Z2)."""
        return self.is_anyone or agent in self.agents or (agent == USER and self.is_operator)


ANYONE: Final = Principal(name="anyone", is_anyone=True)
"""Every caller of a station that asks for no proof: whoever reaches its loopback is trusted."""
