"""Verdicts on their way in Redis: from the recipient's partition to the sender's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from broker.kernel.ids import AgentId, MessageId, Partition
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Call, Script, whole

_LUA: Final = Path(__file__).parent / "lua"
_SCRIPTS: Final = ("conclude", "forget")


class VerdictStore:
    """Transitions of concluded deliveries; each is one Lua file of `messaging/lua`.

    A partition's verdicts wait in its outbox until the senders' side has been told.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys
        self._scripts = {name: Script.load(_LUA, name) for name in _SCRIPTS}

    def concluded(self, partition: Partition, limit: int) -> list[str]:
        """Verdicts of a partition that the senders' side has yet to be told, oldest first."""
        entries = self.redis.command("ZRANGE", self.keys.concluded(partition), 0, limit - 1)
        return [entry.decode() for entry in entries]

    def conclude(self, verdicts: Sequence[tuple[MessageId, AgentId, int, bool]]) -> list[int]:
        """Tell the senders' side: message, recipient, retention in ms, whether that closes it.

        How many ms the record of each has left.
        """
        by_partition: dict[Partition, list[int]] = defaultdict(list)
        for index, (message, _, _, _) in enumerate(verdicts):
            by_partition[self.keys.partition_of(message)].append(index)
        outcomes = self.redis.call_many(
            [
                self._conclude_call([verdicts[index] for index in indexes])
                for indexes in by_partition.values()
            ]
        )
        left = [0] * len(verdicts)
        for indexes, outcome in zip(by_partition.values(), outcomes, strict=True):
            for index, value in zip(indexes, outcome.values, strict=True):
                left[index] = whole(value)
        return left

    def _conclude_call(self, verdicts: Sequence[tuple[MessageId, AgentId, int, bool]]) -> Call:
        return self._scripts["conclude"].bind(
            keys={},
            args={},
            more_keys=[
                key
                for message, _, _, _ in verdicts
                for key in (self.keys.message(message), self.keys.outstanding(message))
            ],
            more_args=[
                f"{agent} {retention_ms} {int(closed)}"
                for _, agent, retention_ms, closed in verdicts
            ],
        )

    def strike(self, partition: Partition, entries: Sequence[str]) -> None:
        """Strike entries off a partition's outbox that tell of no verdict."""
        self.redis.command("ZREM", self.keys.concluded(partition), *entries)

    def forget(self, partition: Partition, entries: Sequence[tuple[str, AgentId, int]]) -> None:
        """Strike entries off a partition's outbox, each with when its receipt leaves (in ms)."""
        self.redis.call(
            self._scripts["forget"].bind(
                keys={
                    "alarms": self.keys.alarms(partition),
                    "concluded": self.keys.concluded(partition),
                },
                args={},
                more_keys=[self.keys.leaving(agent) for _, agent, _ in entries],
                more_args=[f"{entry} {leaves_in}" for entry, _, leaves_in in entries],
            )
        )
