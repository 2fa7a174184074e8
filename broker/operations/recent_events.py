"""The newest events of the timeline, kept for watchers who keep up with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from broker.operations.timeline import Event, Position, Progress

# An event of a batch names 25 messages. So much takes about 5 MB.
_KEPT_ITEMS: Final = 20_000


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Events behind this position may be gone before they could be told."""

    behind: Position


Told = Event | Gap


class RecentEvents:
    """What one reader has told, in its order and numbered, and how far that reaches.

    `is_over` is set when the reader has ended: then nothing is added any more.
    """

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.is_over = False
        self._first = 0
        self._kept: list[Told] = []
        self._items = 0

    @property
    def next_number(self) -> int:
        """The number that the next one will have."""
        return self._first + len(self._kept)

    def add(self, told: Sequence[Told], progress: Progress) -> None:
        """Note what was read; the oldest go in exchange."""
        self._kept.extend(told)
        self.progress = progress
        self._items += sum(map(_items, told))
        # Seldom and many: what remains is moved each time.
        if self._items > 2 * _KEPT_ITEMS:
            gone = 0
            while self._items > _KEPT_ITEMS:
                self._items -= _items(self._kept[gone])
                gone += 1
            del self._kept[:gone]
            self._first += gone

    def since(self, number: int, limit: int) -> list[Told] | None:
        """Those from a number on; None where some of them are no longer kept."""
        if number < self._first:
            return None
        start = number - self._first
        return self._kept[start : start + limit]


def _items(told: Told) -> int:
    return len(told.items) if isinstance(told, Event) else 1
