"""The activity streams of all partitions as one, in an order that every reader finds again.

An event's position is its stream's id and its partition. A stream's ids never fall, and none is
older than the time of its server when it was written. So what is older than the time at which every
stream was looked at is complete: it can be told in the order of positions, and nothing will come
in between. This holds whatever the clocks of several servers say; the slowest decides how far the
common order reaches.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from broker.kernel.ids import AgentId, MessageId

StreamId = tuple[int, int]
"""The id of an entry within its stream: milliseconds, and a number within them."""

_POSITION: Final = re.compile(
    r"(?P<ms>[0-9]{1,15})-(?P<seq>[0-9]{1,19})(?:-(?P<partition>[0-9]{1,4}))?"
)
_NO_PARTITION: Final = -1


class Position(NamedTuple):
    """A place in the order of all events: `<ms>-<seq>-<partition>`, or `<ms>-<seq>`.

    The second form is the place right before whatever bears that stream id.
    """

    ms: int
    seq: int
    partition: int = _NO_PARTITION

    @classmethod
    def parse(cls, text: str) -> Position | None:
        """The position of a text, None if it is none."""
        found = _POSITION.fullmatch(text)
        if found is None:
            return None
        partition = found["partition"]
        return cls(
            int(found["ms"]),
            int(found["seq"]),
            _NO_PARTITION if partition is None else int(partition),
        )

    def __str__(self) -> str:
        within = "" if self.partition == _NO_PARTITION else f"-{self.partition}"
        return f"{self.ms}-{self.seq}{within}"

    @property
    def behind(self) -> Position:
        """The place right behind this one."""
        return self._replace(partition=self.partition + 1)

    @property
    def before(self) -> Position:
        """The place right before this one."""
        return self._replace(partition=self.partition - 1)

    def begins(self, partition: int) -> StreamId:
        """The least id in this partition's stream that lies behind this place."""
        return (self.ms, self.seq + 1) if partition <= self.partition else (self.ms, self.seq)


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """What an event is about: a message, an agent, another thing; or an agent's share in it."""

    message_id: MessageId | None = None
    agent_id: AgentId | None = None
    other_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """A move that was made, with all that made it together."""

    position: Position
    name: str
    items: tuple[Item, ...]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What one partition's stream gave: its server's time in ms, and its next events.

    `more` may follow them at once; `lost` is whether some before them may have been trimmed away.
    """

    now: int
    events: tuple[Event, ...] = ()
    more: bool = False
    lost: bool = False


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the timeline was told: where each stream goes on, and all before `end` is told."""

    starts: tuple[StreamId, ...]
    end: Position

    @classmethod
    def behind(cls, position: Position, partitions: int) -> Progress:
        """As if everything up to this position had been told."""
        return cls(
            starts=tuple(position.begins(partition) for partition in range(partitions)),
            end=position.behind,
        )

    def over(
        self, readings: Sequence[Reading], *, until: Position | None = None
    ) -> tuple[list[Event], Progress]:
        """The events that are next in order, none from `until` on, and how far that goes.

        What is told once is not taken back: when a clock is set back, events go on in the order of
        their streams, each within its own.
        """
        bounds = [Position(min(reading.now for reading in readings), 0).behind]
        bounds += [reading.events[-1].position.behind for reading in readings if reading.more]
        end = max(self.end, min(bounds))
        if until is not None:
            end = min(end, until)
        told = sorted(
            (event for reading in readings for event in reading.events if event.position < end),
            key=lambda event: event.position,
        )
        starts = list(self.starts)
        for event in told:
            starts[event.position.partition] = (event.position.ms, event.position.seq + 1)
        return told, replace(self, starts=tuple(starts), end=end)
