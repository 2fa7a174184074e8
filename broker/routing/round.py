"""One round of routing: what its decisions are made from, read once and only if one asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from broker.directory.agents import BUILT_IN
from broker.directory.roll import Enrolled, RollCall
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.message import Envelope, Strategy
from broker.routing.audience import Groups, Memberships
from broker.routing.engine import Decision, RoutingContext, decide
from broker.routing.pool_store import Measured, PoolStore
from broker.routing.strategies import Standing, pick
from broker.routing.targets import Address, parse

# To pick one of so many takes about as long as to deliver to one, and so does a set of so many.
_PICKED_FROM: Final = 25
_IN_SETS: Final = 1_000

# The station goes to agents of these transports by itself. Idle ones give no signs of life, and
# would never give any if they were passed over for that.
_PUSHED: Final = frozenset({"webhook"})


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What rounds read. `max_depth` is that of an inbox without a limit of its own."""

    rolls: RollCall
    memberships: Memberships
    pools: PoolStore
    offline_after_ms: int
    max_depth: int


class Round:
    """Decides the messages of one round, each by what the round knows."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._context = RoutingContext(audience=self._audience, pick=self._pick)
        self._audiences: dict[tuple[tuple[str, ...], AgentId, bool], tuple[AgentId, ...]] = {}
        self._standings: dict[AgentId, Standing] = {}
        self._turns: dict[MessageId, int] = {}
        self._given: list[Sequence[AgentId]] = []
        self.effort = 0
        """How many deliveries the decisions so far come to, or were as much work as."""

    def decide(self, messages: Sequence[Envelope]) -> Iterator[tuple[Envelope, Decision]]:
        """Each of these messages with its decision, in order."""
        self._read_for([message for message in messages if message.strategy])
        for message in messages:
            decision = decide(message, self._context)
            self.effort += len(decision.recipients)
            self._given.append(decision.recipients)
            if self._standings:
                self._load(decision.recipients)
            yield message, decision

    @cached_property
    def _groups(self) -> Groups:
        return Groups(self._sources.rolls.current(), self._sources.memberships)

    def _audience(self, message: Envelope) -> tuple[AgentId, ...]:
        was_delayed = message.deliver_at is not None
        key = (message.to, message.sender, was_delayed)
        if key not in self._audiences:
            address = parse(message.to)
            self._audiences[key] = (
                self._found(address, message.sender, was_delayed=was_delayed)
                if address.has_groups
                else address.named
            )
        return self._audiences[key]

    def _found(
        self, address: Address, sender: AgentId, *, was_delayed: bool
    ) -> tuple[AgentId, ...]:
        before = self._groups.looked_at
        found = self._groups.audience(address, sender, was_delayed=was_delayed)
        self.effort += (self._groups.looked_at - before) // _IN_SETS
        return tuple(sorted(found))

    def _read_for(self, messages: Sequence[Envelope]) -> None:
        """Read what the strategies of these messages go by; two trips at most."""
        pools = {message.id: self._audience(message) for message in messages}
        unknown = {agent for pool in pools.values() for agent in pool} - self._standings.keys()
        if unknown:
            measured = self._sources.pools.measure(unknown)
            given = Counter(agent for some in self._given for agent in some)
            self._standings |= {
                agent: self._standing(agent, measured[agent], given[agent]) for agent in unknown
            }
        in_turn = [
            (message.id, "\n".join(message.to))
            for message in messages
            if message.strategy is Strategy.ROUND_ROBIN and pools[message.id]
        ]
        if in_turn:
            counts = Counter(targets for _, targets in in_turn)
            turns = self._sources.pools.take_turns(counts)
            for identifier, targets in in_turn:
                self._turns[identifier] = turns[targets]
                turns[targets] += 1

    def _pick(self, message: Envelope, pool: Sequence[AgentId]) -> AgentId:
        self.effort += len(pool) // _PICKED_FROM
        standings = [self._standings[agent] for agent in pool]
        return pick(message, standings, self._turns.get(message.id, 0))

    def _load(self, agents: Sequence[AgentId]) -> None:
        """Count what this round gives them."""
        for agent in agents:
            standing = self._standings.get(agent)
            if standing is not None:
                self._standings[agent] = replace(standing, load=standing.load + 1)

    def _standing(self, agent: AgentId, measured: Measured, given: int) -> Standing:
        enrolled = self._groups.roll.find(agent)
        limit = enrolled.max_depth if enrolled else None
        return Standing(
            agent=agent,
            is_up=enrolled is not None
            and enrolled.ready
            and (_owes_no_signs(agent, enrolled) or self._is_heard(measured)),
            load=measured.depth + given,
            limit=self._sources.max_depth if limit is None else limit,
        )

    def _is_heard(self, measured: Measured) -> bool:
        silence_ms = measured.silence_ms
        return silence_ms is not None and silence_ms <= self._sources.offline_after_ms


def _owes_no_signs(agent: AgentId, enrolled: Enrolled) -> bool:
    """Whether it may be silent and there all the same."""
    return agent in BUILT_IN or enrolled.transport in _PUSHED
