"""What the live view shows: one moment of a station, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from waystation.answers import AgentProfile, Event, InboxDepth, Stats

_PRESENCES = ("online", "stale", "offline")


class Order(StrEnum):
    """What the agents are sorted by."""

    DEPTH = "depth"
    OLDEST = "oldest"
    PRESENCE = "presence"
    NAME = "name"

    def next(self) -> Order:
        """The one that comes after it, round and round."""
        orders = list(Order)
        return orders[(orders.index(self) + 1) % len(orders)]


@dataclass(frozen=True, kw_only=True)
class AgentLine:
    """An agent and what stands in its inbox."""

    id: str
    presence: str
    depth: int
    queued: int
    leased: int
    waiting: int
    oldest_age_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A moment of a station."""

    at: datetime
    url: str
    stats: Stats
    agents: Sequence[AgentLine]
    not_ready: str | None
    """Which parts are missing; None where every part is there."""
    events: Sequence[Event]
    """The newest last."""
    away: str | None = None
    """Why the station did not answer; then the rest is what it said before."""


def agent_lines(profiles: Sequence[AgentProfile], depths: Sequence[InboxDepth]) -> list[AgentLine]:
    """A line for each agent that is registered or has an inbox."""
    presences = {profile.id: profile.status for profile in profiles}
    inboxes = {inbox.agent_id: inbox for inbox in depths}
    return [
        _line(agent, presences.get(agent, "unknown"), inboxes.get(agent))
        for agent in sorted(presences.keys() | inboxes.keys())
    ]


def ordered(lines: Sequence[AgentLine], order: Order) -> list[AgentLine]:
    """The lines in this order; those that are equal by their names."""
    match order:
        case Order.DEPTH:
            return sorted(lines, key=lambda line: (-line.depth, line.id))
        case Order.OLDEST:
            return sorted(lines, key=lambda line: (-(line.oldest_age_seconds or 0), line.id))
        case Order.PRESENCE:
            return sorted(lines, key=lambda line: (_rank(line.presence), line.id))
        case Order.NAME:
            return sorted(lines, key=lambda line: line.id)


def _rank(presence: str) -> int:
    return _PRESENCES.index(presence) if presence in _PRESENCES else len(_PRESENCES)


def _line(agent: str, presence: str, inbox: InboxDepth | None) -> AgentLine:
    return AgentLine(
        id=agent,
        presence=presence,
        depth=inbox.depth if inbox else 0,
        queued=inbox.queued if inbox else 0,
        leased=inbox.leased if inbox else 0,
        waiting=inbox.waiting if inbox else 0,
        oldest_age_seconds=inbox.oldest_age_seconds if inbox else None,
    )
