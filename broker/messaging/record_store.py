"""The stored records of messages in Redis, read by whoever shows or hands out a message."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from broker.kernel.ids import MessageId, Partition
from broker.messaging.message import Message, decode
from broker.storage.connection import Redis
from broker.storage.keys import Keys


class RecordStore:
    """Reads messages; each lies in its sender's partition until its retention has passed."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys

    def read(self, ids: Sequence[MessageId]) -> list[Message | None]:
        """The messages of these ids, None where there is none; one trip for all."""
        return [
            decode(record) if record else None
            for record in read_records(self.redis, self.keys, ids)
        ]


def read_records(redis: Redis, keys: Keys, ids: Sequence[MessageId]) -> list[bytes | None]:
    """The stored records of these messages, None where there is none.

    One trip for all, and in it one command a partition: a command can't span two.
    """
    positions: dict[Partition, list[int]] = defaultdict(list)
    for position, identifier in enumerate(ids):
        positions[keys.partition_of(identifier)].append(position)
    found = redis.commands(
        [("MGET", *(keys.message(ids[one]) for one in group)) for group in positions.values()]
    )
    records: list[bytes | None] = [None] * len(ids)
    for group, values in zip(positions.values(), found, strict=True):
        for position, value in zip(group, values, strict=True):
            records[position] = value
    return records
