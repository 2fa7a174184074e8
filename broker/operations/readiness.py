"""Whether the station can do its work, and which part is missing if not (SPEC O1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from broker.kernel.errors import BrokerError
from broker.operations.processes import Processes, Role
from broker.operations.store import OperationsStore

POOLS: Final = (Role.ROUTING, Role.DELIVERY, Role.RETRY, Role.EXECUTION, Role.SCHEDULER)
"""The roles of which a station needs a living process, beside the one that is asked."""


class PartState(StrEnum):
    """How a part is."""

    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "unknown"  # what would tell is missing itself


@dataclass(frozen=True, kw_only=True)
class PartReadiness:
    """One part, and for one that is not there the sentence that says what is wrong."""

    name: str
    state: PartState
    detail: str | None = None


class Readiness:
    """Asks every part. `check_data` and `check_jobs` raise a `BrokerError` where they fail."""

    def __init__(
        self,
        store: OperationsStore,
        processes: Processes,
        *,
        check_data: Callable[[], object],
        check_jobs: Callable[[], object],
    ) -> None:
        self._store = store
        self._processes = processes
        self._check_data = check_data
        self._check_jobs = check_jobs

    def parts(self) -> list[PartReadiness]:
        """Every part of the station, missing or not; it is ready when all are ok."""
        redis = _asked("redis", self._store.probe)
        jobs = _asked("jobs", self._check_jobs)
        if redis.state is not PartState.OK:
            unknown = (PartReadiness(name=name, state=PartState.UNKNOWN) for name in _BEHIND_REDIS)
            return [redis, jobs, *unknown]
        return [redis, jobs, _asked("data", self._check_data), *self._pools()]

    def _pools(self) -> list[PartReadiness]:
        try:
            alive = {process.role for process in self._processes.alive()}
        except BrokerError as error:
            return [
                PartReadiness(name=role, state=PartState.UNKNOWN, detail=error.detail)
                for role in POOLS
            ]
        return [
            PartReadiness(name=role, state=PartState.OK)
            if role in alive
            else PartReadiness(
                name=role,
                state=PartState.MISSING,
                detail=f"No {role} process gives a sign of life.",
            )
            for role in POOLS
        ]


_BEHIND_REDIS: Final = ("data", *POOLS)


def _asked(name: str, ask: Callable[[], object]) -> PartReadiness:
    try:
        ask()
    except BrokerError as error:
        return PartReadiness(name=name, state=PartState.MISSING, detail=error.detail)
    return PartReadiness(name=name, state=PartState.OK)
