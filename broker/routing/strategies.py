"""Strategies: which one of several a message goes to (SPEC R2). Pure functions of what is known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from broker.kernel.ids import AgentId
from broker.messaging.message import Envelope, Strategy


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How an agent stands when one of several is picked.

    `is_up`: it is ready and not offline. `load` is the depth of its inbox, with all that is in
    flight and on the way to it from this round; an inbox is full at `limit`.
    """

    agent: AgentId
    is_up: bool
    load: int
    limit: int

    @property
    def has_room(self) -> bool:
        """Whether its inbox takes one more."""
        return self.load < self.limit


def pick(message: Envelope, pool: Sequence[Standing], turn: int) -> AgentId:
    """The one of the pool, in the order of ids, that the message's strategy picks.

    Who is not up or has no room is passed over while another has both. `turn` counts the messages
    to this pool (round_robin). The same message and pool always give the same agent.
    """
    willing = (
        [one for one in pool if one.is_up and one.has_room]
        or [one for one in pool if one.has_room]
        or pool
    )
    match message.strategy:
        case Strategy.ROUND_ROBIN:
            chosen = willing[turn % len(willing)]
        case Strategy.LEAST_LOADED:
            least = min(one.load for one in willing)
            idlest = [one for one in willing if one.load == least]
            # Not always the first: an idle pool would have one that does all.
            chosen = idlest[_digest(message.id) % len(idlest)]
        case Strategy.STICKY:
            # Rendezvous hashing: when one comes or goes, only its own threads move.
            chosen = max(willing, key=lambda one: _digest(f"{message.thread} {one.agent}"))
        case _:
            chosen = willing[_digest(message.id) % len(willing)]
    return chosen.agent


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
