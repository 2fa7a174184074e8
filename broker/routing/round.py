"""One round of routing: what its decisions are made from, read once and only if one asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from broker.directory.agents import BUILT_IN
from broker.directory.roll import RollCall
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.message import Envelope, Strategy
from broker.routing.audience import Groups, Memberships
from broker.routing.engine import Decision, RoutingContext, decide
from broker.routing.pool_store import Measured, PoolStore
from broker.routing.strategies import Standing, pick
from broker.routing.targets import parse

# To pick one of so many takes about as long as to deliver to one.
_LOOKED_AT: Final = 25


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
        self._measured: dict[AgentId, Measured] = {}
        self._given: Counter[AgentId] = Counter()
        self._turns: dict[MessageId, int] = {}
        self.effort = 0
        """How many deliveries the decisions so far come to, or were as much work as."""

    def decide(self, messages: Sequence[Envelope]) -> Iterator[tuple[Envelope, Decision]]:
        """Each of these messages with its decision, in order."""
        self._read_for([message for message in messages if message.strategy])
        for message in messages:
            decision = decide(message, self._context)
            self.effort += len(decision.recipients)
            if self._measured:
                self._given.update(decision.recipients)
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
                tuple(
                    sorted(self._groups.audience(address, message.sender, was_delayed=was_delayed))
                )
                if address.has_groups
                else address.named
            )
        return self._audiences[key]

    def _read_for(self, messages: Sequence[Envelope]) -> None:
        """Read what the strategies of these messages go by; two trips at most."""
        pools = {message.id: self._audience(message) for message in messages}
        unknown = {agent for pool in pools.values() for agent in pool} - self._measured.keys()
        if unknown:
            self._measured |= self._sources.pools.measure(unknown)
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
        self.effort += len(pool) // _LOOKED_AT
        standings = [self._standing(agent) for agent in pool]
        return pick(message, standings, self._turns.get(message.id, 0))

    def _standing(self, agent: AgentId) -> Standing:
        """How an agent stands by now: what this round has given it counts."""
        enrolled = self._groups.roll.find(agent)
        measured = self._measured[agent]
        limit = enrolled.max_depth if enrolled else None
        return Standing(
            agent=agent,
            is_up=enrolled is not None and enrolled.ready and self._is_there(agent, measured),
            load=measured.depth + self._given[agent],
            limit=self._sources.max_depth if limit is None else limit,
        )

    def _is_there(self, agent: AgentId, measured: Measured) -> bool:
        if agent in BUILT_IN:
            return True
        silence_ms = measured.silence_ms
        return silence_ms is not None and silence_ms <= self._sources.offline_after_ms
