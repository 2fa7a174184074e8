"""One watcher's way through the timeline, at its own pace (SPEC T3)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from broker.operations.recent_events import Gap, RecentEvents, Told
from broker.operations.timeline import Event, Position, Progress

_AT_ONCE: Final = 256
# A watcher that another process has served may be ahead of this one, but not by more than this.
_AHEAD_MS: Final = 5_000


class Watch:
    """Takes from what the reader keeps, and reads from Redis itself what is no longer kept.

    It is used by one thread. `position` is how far it has come, whether or not what happened there
    was of interest to it.
    """

    def __init__(
        self,
        recent: RecentEvents,
        select: Callable[[Sequence[Event]], list[Event]],
        read_on: Callable[[Progress, Position], tuple[list[Told], Progress]],
        after: Position | None,
    ) -> None:
        self._recent = recent
        self._select = select
        self._read_on = read_on
        self._changed = threading.Event()
        self._number = recent.next_number
        self._gap: Gap | None = None
        # What is told before the newest: behind this, and before where the reader was by then.
        self._behind: Progress | None = None
        self._until = recent.progress.end
        # Behind this, where another process has told more than the reader of this one by then.
        self._told_to: Position | None = None
        self.position = self._until.before
        if after is not None:
            self._resume(after)

    def take(self, wait_seconds: float, stop: threading.Event) -> list[Told]:
        """What comes next, a bounded part of it; nothing if nothing comes in time, or at `stop`.

        Raises `StorageUnavailableError` where it needs Redis to catch up.
        """
        self._changed.clear()
        found = self._next()
        if not found and self._is_up_to_date and not (self.is_over or stop.is_set()):
            self._changed.wait(wait_seconds)
            found = self._next()
        return found

    def wake(self) -> None:
        """Something may have happened."""
        self._changed.set()

    @property
    def is_over(self) -> bool:
        """Whether nothing will come any more."""
        return self._recent.is_over and self._gap is None and self._is_up_to_date

    @property
    def _is_up_to_date(self) -> bool:
        return self._behind is None and self._number == self._recent.next_number

    def _resume(self, after: Position) -> None:
        if after < self._until:
            self._fall_back(after)
        elif after.ms <= self._until.ms + _AHEAD_MS:
            self._told_to = after.behind
        else:
            # Either the clock was set back since, or nobody ever gave this position out.
            self._gap = Gap(behind=after)
            return
        self.position = after

    def _fall_back(self, to: Position) -> None:
        """Read from Redis first, up to where the reader is now."""
        progress = self._recent.progress
        self._behind = Progress.behind(to, len(progress.starts))
        self._until, self._number = progress.end, self._recent.next_number

    def _next(self) -> list[Told]:
        if self._gap is not None:
            gap, self._gap = self._gap, None
            return [gap]
        if self._behind is None:
            kept = self._recent.since(self._number, _AT_ONCE)
            if kept is not None:
                self._number += len(kept)
                return self._shown(self._untold(kept))
            self._fall_back(self.position)
        return self._catch_up()

    def _catch_up(self) -> list[Told]:
        if self._behind is None:
            return []
        told, progress = self._read_on(self._behind, self._until)
        self._behind = progress if progress.end < self._until else None
        return self._shown(told)

    def _untold(self, kept: list[Told]) -> list[Told]:
        """Those that no other process has told this watcher."""
        if self._told_to is None or not kept:
            return kept
        told_to, events = self._told_to, [one for one in kept if isinstance(one, Event)]
        if events and events[-1].position >= told_to:
            self._told_to = None
        return [one for one in kept if isinstance(one, Gap) or one.position >= told_to]

    def _shown(self, told: Sequence[Told]) -> list[Told]:
        """Those of interest, in their order."""
        events = [one for one in told if isinstance(one, Event)]
        if events:
            self.position = events[-1].position
        wanted = {event.position: event for event in self._select(events)}
        shown = (one if isinstance(one, Gap) else wanted.get(one.position) for one in told)
        return [one for one in shown if one is not None]
