"""Watching what happens: the activity streams of all partitions as one, for any number (SPEC T3).

One reader a process, which runs while somebody watches, looks a few times a second and keeps the
newest events. Watchers take from these at their own pace. One that comes with an older position, or
has fallen behind, reads what it lacks from Redis; nothing is queued for it. What Redis no longer
holds either is announced as a `Gap`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog

from broker.kernel.errors import StorageUnavailableError
from broker.operations.activity_store import ActivityStore
from broker.operations.interest import Interest
from broker.operations.origins import RememberedOrigins
from broker.operations.recent_events import Gap, RecentEvents, Told
from broker.operations.timeline import Position, Progress, Reading, StreamId
from broker.operations.watch import Watch

_POLL_SECONDS: Final = 0.25
# Where much happens, for a stream may hold less than a second of it.
_BUSY_POLL_SECONDS: Final = 0.02
_BUSY_EVENTS: Final = 100
_RETRY_SECONDS: Final = 1.0
# Watchers that all come back at once must not keep Redis from its work.
_CATCHING_UP: Final = 4
_BEGINNING_OF_TIME: Final = Position(0, 0)
_END_OF_TIME: Final[StreamId] = (2**53, 0)

_log = structlog.get_logger(__name__)


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
