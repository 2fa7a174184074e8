"""What strategies go by, in Redis: how agents stand, and whose turn it is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from broker.kernel.ids import AgentId, Partition
from broker.messaging.message import unpack
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Outcome, Script, whole

_LUA: Final = Path(__file__).parent / "lua"
_TURNS_MS: Final = 86_400_000


class Measured(NamedTuple):
    """The depth of an agent's inbox, and for how many ms it was silent; None: not present."""

    depth: int
    silence_ms: int | None


class PoolStore:
    """Reads how the agents of pools stand, and hands out turns."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._standing = Script.load(_LUA, "standing")
        self._take_turns = Script.load(_LUA, "take_turns")

    def measure(self, agents: Iterable[AgentId]) -> dict[AgentId, Measured]:
        """How these agents stand; one trip for all."""
        by_partition: dict[Partition, list[AgentId]] = defaultdict(list)
        for agent in agents:
            by_partition[self._keys.partition_for(agent)].append(agent)
        outcomes = self._redis.call_many(
            [
                self._standing.bind(
                    keys={"heartbeats": self._keys.heartbeats(partition)},
                    args={},
                    more_keys=[self._keys.deliveries(agent) for agent in group],
                    more_args=group,
                )
                for partition, group in by_partition.items()
            ]
        )
        return {
            agent: Measured(depth, None if silence_ms < 0 else silence_ms)
            for group, outcome in zip(by_partition.values(), outcomes, strict=True)
            for agent, depth, silence_ms in zip(group, *_lists(outcome), strict=True)
        }

    def take_turns(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Take so many turns for each of these targets; the number of the first; one trip."""
        outcomes = self._redis.call_many(
            [
                self._take_turns.bind(
                    keys={"turns": self._keys.turns(targets)},
                    args={"count": count, "lifetime_ms": _TURNS_MS},
                )
                for targets, count in counts.items()
            ]
        )
        return {
            targets: whole(outcome.values[0])
            for targets, outcome in zip(counts, outcomes, strict=True)
        }


def _lists(outcome: Outcome) -> list[list[int]]:
    return [unpack(packed) for packed in outcome.values if isinstance(packed, bytes)]
