"""The station's own schedule: what happens how often, and where. All of it, in one table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from broker.storage.keys import Keys
from broker.storage.timetable import Entry
from config.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """A job without arguments that one of the worker pools carries out every so many seconds."""

    name: str
    every_seconds: float
    pool: str
    job: str


SCHEDULE: Final = (
    # Rings for partitions with messages that nobody routes.
    Recurrence(name="routing.sweep", every_seconds=1, pool="routing", job="workers.routing.sweep"),
    # Pushes what waits for a retry, and what nobody rang for.
    Recurrence(
        name="delivery.sweep", every_seconds=1, pool="delivery", job="workers.delivery.sweep"
    ),
    # Ends leases, waits and lives whose time has come.
    Recurrence(name="retry.sweep", every_seconds=1, pool="retry", job="workers.retry.sweep"),
    # Notes which agents have fallen silent.
    Recurrence(name="retry.reap", every_seconds=5, pool="retry", job="workers.retry.reap"),
    # Forgets what has been kept for long enough.
    Recurrence(name="retry.trim", every_seconds=60, pool="retry", job="workers.retry.trim"),
    # Fires recurring messages whose own wake-up was lost.
    Recurrence(
        name="recurring.sweep", every_seconds=5, pool="retry", job="workers.retry.fire_overdue"
    ),
    # Takes the counters down, so that rates can be told.
    Recurrence(
        name="operations.sample",
        every_seconds=10,
        pool="retry",
        job="workers.retry.sample_counters",
    ),
    # Scores the station's health, and raises or resolves alerts.
    Recurrence(
        name="operations.check_health",
        every_seconds=15,
        pool="retry",
        job="workers.retry.check_health",
    ),
)


def prefix(keys: Keys) -> str:
    """What the names of this station's own entries begin with, and no recurring message's id."""
    return f"{keys.namespace}-system-"


def table(settings: Settings) -> tuple[Recurrence, ...]:
    """What this station does by schedule."""
    if not (settings.discovery_roots and settings.discovery_seconds):
        return SCHEDULE
    # Looks for agents on disk. A search may take seconds, so no pool that delivers does it.
    discovery = Recurrence(
        name="discovery.scan",
        every_seconds=settings.discovery_seconds,
        pool="execution",
        job="workers.execution.discover",
    )
    return (*SCHEDULE, discovery)


def entries(keys: Keys, recurrences: Sequence[Recurrence] = SCHEDULE) -> list[Entry]:
    """The table as entries of this station's timetable."""
    return [
        Entry(
            name=prefix(keys) + recurrence.name.replace(".", "-"),
            job=recurrence.job,
            queue=keys.jobs_queue(recurrence.pool),
            interval_seconds=recurrence.every_seconds,
        )
        for recurrence in recurrences
    ]
