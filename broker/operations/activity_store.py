"""Reading the activity streams, and where the messages that they name come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from broker.kernel.ids import AgentId, MessageId, Partition
from broker.messaging.message import Envelope, decode_envelope, unpack
from broker.messaging.record_store import read_records
from broker.operations.timeline import Event, Item, Position, Reading, StreamId
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Script

_LUA: Final = Path(__file__).parent / "lua"
# Of one partition in one trip. An event names at most 25 messages.
_EVENTS_A_READING: Final = 200


class ActivityStore:
    """Reads events; each partition's stream keeps the newest WAYSTATION_ACTIVITY_MAX_EVENTS."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._script = Script.load(_LUA, "read_activity")

    @property
    def partitions(self) -> int:
        """How many streams there are."""
        return self._keys.partitions

    def read(self, starts: Sequence[StreamId]) -> list[Reading]:
        """The events from these ids on, a reading for each partition; one trip."""
        outcomes = self._redis.call_many(
            [
                self._script.bind(
                    keys={"activity": self._keys.activity(Partition(partition))},
                    args={"first": f"{ms}-{seq}", "limit": _EVENTS_A_READING},
                )
                for partition, (ms, seq) in enumerate(starts)
            ]
        )
        return [
            _reading(partition, outcome.values[0]) for partition, outcome in enumerate(outcomes)
        ]

    def envelopes(self, ids: Sequence[MessageId]) -> list[Envelope | None]:
        """The envelopes of these messages, None where there is none any more; one trip."""
        records = read_records(self._redis, self._keys, ids)
        return [decode_envelope(record) if record else None for record in records]


def _reading(partition: int, packed: object) -> Reading:
    if not isinstance(packed, bytes):
        raise TypeError(packed)
    found = unpack(packed)
    events = tuple(_event(partition, *entry) for entry in found["entries"])
    return Reading(
        now=found["now"],
        events=events,
        more=len(events) == _EVENTS_A_READING,
        lost=found["lost"],
    )


def _event(partition: int, identifier: str, fields: Sequence[Any]) -> Event:
    ms, _, seq = identifier.partition("-")
    values = dict(zip(fields[::2], fields[1::2], strict=True))
    name = values["event"]
    return Event(
        position=Position(int(ms), int(seq), partition),
        name=name,
        items=tuple(_item(name, subject) for subject in values["ids"].split(" ")),
    )


def _item(event: str, subject: str) -> Item:
    """What an event's id names: an agent, `<thing>`, or an agent's share in it `<thing>:<agent>`.

    Most things are messages.
    """
    identifier, _, agent = subject.partition(":")
    if identifier.startswith("msg_"):
        return Item(message_id=MessageId(identifier), agent_id=AgentId(agent) if agent else None)
    if event.startswith("agent."):
        return Item(agent_id=AgentId(subject))
    return Item(other_id=identifier, agent_id=AgentId(agent) if agent else None)
