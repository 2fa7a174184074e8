"""Watching what happens: the activity streams of all partitions as one, for any number (SPEC T3).

One reader a process, which runs while somebody watches, looks a few times a second and keeps the
newest events. Watchers take from these at their own pace. One that comes with an older position, or
has fallen behind, reads what it lacks from Redis; nothing is queued for it. What Redis no longer
holds either is announced as a `Gap`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog

from broker.kernel.errors import StorageUnavailableError
from broker.operations.activity_store import ActivityStore
from broker.operations.interest import Interest
from broker.operations.origins import RememberedOrigins
from broker.operations.recent_events import Gap, RecentEvents, Told
from broker.operations.timeline import Event, Position, Progress, Reading, StreamId

_POLL_SECONDS: Final = 0.25
# Where much happens, for a stream may hold less than a second of it.
_BUSY_POLL_SECONDS: Final = 0.02
_BUSY_EVENTS: Final = 100
_RETRY_SECONDS: Final = 1.0
_AT_ONCE: Final = 256
# Watchers that all come back at once must not keep Redis from its work.
_CATCHING_UP: Final = 4
# A watcher that another process has served may be ahead of this one, but not by more than this.
_AHEAD_MS: Final = 5_000
_BEGINNING_OF_TIME: Final = Position(0, 0)
_END_OF_TIME: Final[StreamId] = (2**53, 0)

_log = structlog.get_logger(__name__)


class Watch:
    """One watcher's way through the timeline; it is used by one thread.

    `position` is how far it has come, whether or not what happened there was of interest to it.
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


class Watching:
    """Tells any number of watchers what happens."""

    def __init__(self, store: ActivityStore) -> None:
        self._store = store
        self._count = store.partitions
        self._origins = RememberedOrigins(store.envelopes)
        self._lock = threading.Lock()
        self._watches: set[Watch] = set()
        self._recent: RecentEvents | None = None
        self._catching_up = threading.BoundedSemaphore(_CATCHING_UP)

    @contextmanager
    def watch(
        self, interest: Interest, after: Position | None = None, *, follow: bool = True
    ) -> Iterator[Watch]:
        """Watch what happens behind a position, or from now on.

        Without `follow` it ends with what happened until now, and begins with what is still known.
        Raises `StorageUnavailableError` if nothing can be read now. Later, Redis may go and come
        back: what happens is told when it is there again.
        """
        with self._lock:
            watch = Watch(
                self._followed() if follow else self._past(),
                lambda events: interest.select(events, self._origins.of),
                self._read_on,
                after if follow else after or _BEGINNING_OF_TIME,
            )
            self._watches.add(watch)
        try:
            yield watch
        finally:
            with self._lock:
                self._watches.discard(watch)

    def wake_all(self) -> None:
        """Have all who wait look again."""
        with self._lock:
            watches = list(self._watches)
        for watch in watches:
            watch.wake()

    def _followed(self) -> RecentEvents:
        """What the reader tells; it starts with the first who follows."""
        if self._recent is None:
            self._recent = RecentEvents(Progress.behind(Position(self._now(), 0), self._count))
            threading.Thread(
                target=self._follow, args=(self._recent,), name="watching", daemon=True
            ).start()
        return self._recent

    def _past(self) -> RecentEvents:
        """As if there had been a reader until now, who kept nothing."""
        end = Position(self._now() + 1, 0)
        recent = RecentEvents(Progress.behind(end, self._count))
        recent.is_over = True
        return recent

    def _now(self) -> int:
        """The time of the servers in ms: that of the slowest clock."""
        # Behind the end of every stream there is nothing but its server's time.
        readings = self._store.read([_END_OF_TIME] * self._count)
        return min(reading.now for reading in readings)

    def _follow(self, recent: RecentEvents) -> None:
        """Read on while somebody watches."""
        pause = threading.Event()
        is_away = False
        try:
            while self._is_watched():
                try:
                    readings = self._store.read(recent.progress.starts)
                except StorageUnavailableError as error:
                    if not is_away:
                        _log.warning("watching.waits_for_redis", error=error.detail)
                    is_away = True
                    pause.wait(_RETRY_SECONDS)
                    continue
                is_away = False
                told, progress = _told(recent.progress, readings)
                recent.add(told, progress)
                if told:
                    self.wake_all()
                pause.wait(_pause_seconds(readings))
        finally:
            with self._lock:
                recent.is_over = True
                if self._recent is recent:
                    self._recent = None
            self.wake_all()

    def _is_watched(self) -> bool:
        with self._lock:
            if not self._watches:
                # Whoever comes from here on starts another reader.
                self._recent = None
            return bool(self._watches)

    def _read_on(self, behind: Progress, until: Position) -> tuple[list[Told], Progress]:
        with self._catching_up:
            readings = self._store.read(behind.starts)
        return _told(behind, readings, until)


def _told(
    behind: Progress, readings: Sequence[Reading], until: Position | None = None
) -> tuple[list[Told], Progress]:
    """What is told of these readings, and how far that goes."""
    events, progress = behind.over(readings, until=until)
    lost = any(reading.lost for reading in readings)
    return [*([Gap(behind=behind.end.before)] if lost else ()), *events], progress


def _pause_seconds(readings: Sequence[Reading]) -> float:
    is_busy = any(len(reading.events) >= _BUSY_EVENTS for reading in readings)
    return _BUSY_POLL_SECONDS if is_busy else _POLL_SECONDS
