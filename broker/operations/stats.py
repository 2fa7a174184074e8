"""The station in numbers: depths, counts per state, rates and latency (SPEC M15)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from broker.operations.activity import Activity, Sample, activity_since
from broker.operations.measurements import RedisServer, Snapshot, Staff
from broker.operations.processes import Processes
from broker.operations.store import OperationsStore

RECENT_MS: Final = 300_000
"""How far back rates look where nothing else is asked for."""


@dataclass(frozen=True, kw_only=True)
class Overview:
    """All that can be measured at one moment."""

    snapshot: Snapshot
    recent: Activity
    staff: Staff
    servers: tuple[RedisServer, ...]


class Stats:
    """Measures the station. Raises `StorageUnavailableError` while Redis is away."""

    def __init__(self, store: OperationsStore, processes: Processes) -> None:
        self._store = store
        self._processes = processes

    def overview(self, window_ms: int = RECENT_MS) -> Overview:
        """Measure everything now; what happened lately is that of `window_ms`."""
        snapshot = self._store.snapshot()
        alive = Counter(process.role for process in self._processes.alive())
        return Overview(
            snapshot=snapshot,
            recent=activity_since(
                self._store.samples(), Sample(at=snapshot.at, totals=snapshot.totals), window_ms
            ),
            staff=Staff(alive=alive),
            servers=tuple(self._store.servers()),
        )

    def sample(self) -> None:
        """Remember the counters as they are; called by schedule, rates come from it."""
        self._store.keep_sample(self._store.sample())
