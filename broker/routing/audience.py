"""Whom targets mean: plain sets of agents (SPEC R1)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Final

from broker.directory.roll import Roll, Trait
from broker.kernel.errors import BrokerError
from broker.kernel.ids import AgentId
from broker.routing.targets import (
    Address,
    Everyone,
    Group,
    GroupKind,
    Named,
    Selector,
    Target,
    leaves,
)

Members = Callable[[str], Collection[AgentId] | None]
"""The members of a group by its name; None where there is no such group."""

Refusal = Callable[[AgentId, str], BrokerError | None]
"""Why a sender may not post to a channel; None if it may."""

TRAIT_OF: Final = {
    GroupKind.LABEL: Trait.LABEL,
    GroupKind.TAG: Trait.TAG,
    GroupKind.CAP: Trait.CAPABILITY,
}
"""The groups that the register itself knows."""


def _no_such_group(_name: str) -> None:
    return None


def _nothing_refused(_sender: AgentId, _channel: str) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Memberships:
    """Groups that the register does not know; `wiring` hands in who does."""

    channel: Members = _no_such_group
    team: Members = _no_such_group
    orchestrator: Members = _no_such_group
    refusal: Refusal = _nothing_refused

    def of(self, group: Group) -> Collection[AgentId] | None:
        """The members of such a group, None where there is none of that name."""
        match group.kind:
            case GroupKind.CHANNEL:
                return self.channel(group.name)
            case GroupKind.TEAM:
                return self.team(group.name)
            case GroupKind.ORCHESTRATOR:
                return self.orchestrator(group.name)
            case _:
                return None

    def closed(self, sender: AgentId, target: Target) -> BrokerError | None:
        """Why a sender may not reach a target, which it may not post to all channels of."""
        for leaf in leaves(target):
            match leaf:
                case Group(kind=GroupKind.CHANNEL, name=name):
                    refusal = self.refusal(sender, name)
                    if refusal is not None:
                        return refusal
        return None


class Groups:
    """Who belongs to what at one moment; what it found of a group it does not look up again.

    `looked_at` counts the agents in all sets that it computed with.
    """

    def __init__(self, roll: Roll, memberships: Memberships) -> None:
        self.roll = roll
        self.looked_at = 0
        self._memberships = memberships
        self._found: dict[Group, frozenset[AgentId]] = {}

    def members(self, target: Target) -> frozenset[AgentId]:
        """The registered agents that a target means, whoever sends to it.

        Members of channels, teams and orchestrators joined by name, so the built-in agents may be
        among them; whatever else is a group leaves them out.
        """
        match target:
            case Named(agent=agent):
                found = frozenset((agent,)) if self.roll.find(agent) else frozenset()
            case Everyone():
                found = self.roll.everyone
            case Group():
                if target not in self._found:
                    self._found[target] = self._members_of(target)
                found = self._found[target]
            case Selector():
                found = self._selected(target)
        self.looked_at += len(found)
        return found

    def audience(
        self, address: Address, sender: AgentId, *, was_delayed: bool = False
    ) -> frozenset[AgentId]:
        """All that an address means: a group never includes its sender, a name may.

        Whether the sender may post to a channel was seen when the message was accepted; of one that
        has waited for its delivery time since, it is looked at again.
        """
        groups: Iterable[Target] = address.groups
        if was_delayed:
            groups = [one for one in groups if self._memberships.closed(sender, one) is None]
        found = frozenset[AgentId]().union(*map(self.members, groups))
        return found - {sender} | frozenset(address.named)

    def _members_of(self, group: Group) -> frozenset[AgentId]:
        if group.kind in TRAIT_OF:
            return self.roll.having(TRAIT_OF[group.kind], group.name)
        found = self._memberships.of(group) or ()
        return frozenset(name for name in found if self.roll.find(name))

    def _selected(self, selector: Selector) -> frozenset[AgentId]:
        required = [self.members(part) for part in selector.all_of]
        if selector.any_of:
            required.append(frozenset().union(*map(self.members, selector.any_of)))
        found = frozenset.intersection(*required) if required else self.roll.everyone
        return found.difference(*map(self.members, selector.none_of))
