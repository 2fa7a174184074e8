"""Whether the station can do its work, and which part is missing if not (SPEC O1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from broker.kernel.errors import BrokerError, FieldProblem
from broker.operations.processes import Processes, Role
from broker.operations.store import OperationsStore

POOLS: Final = (Role.ROUTING, Role.DELIVERY, Role.RETRY, Role.EXECUTION, Role.SCHEDULER)
"""The roles of which a station needs a living process, beside the one that is asked."""


_RETRY_AFTER_SECONDS: Final = 1.0


class NotReadyError(BrokerError):
    """A part of the station is missing; each is named, and what it takes is being tried."""

    code = "not_ready"
    permanent = False


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
    detail: str = ""


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

    def check(self) -> list[PartReadiness]:
        """Every part, when all are ok. Raises `NotReadyError` that names those that are not."""
        parts = self.parts()
        faults = [part for part in parts if part.state is not PartState.OK]
        if faults:
            names = ", ".join(part.name for part in faults)
            raise NotReadyError(
                f"The station is not ready: {names}. Ask again.",
                problems=[FieldProblem(field=one.name, message=one.detail) for one in faults],
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )
        return parts

    def parts(self) -> list[PartReadiness]:
        """Every part of the station, missing or not; it is ready when all are ok."""
        redis = _asked("redis", self._store.probe)
        jobs = _asked("jobs", self._check_jobs)
        if redis.state is not PartState.OK:
            return [redis, jobs, *(_unknown(name) for name in _BEHIND_REDIS)]
        return [redis, jobs, _asked("data", self._check_data), *self._pools()]

    def _pools(self) -> list[PartReadiness]:
        try:
            alive = {process.role for process in self._processes.alive()}
        except BrokerError:
            return [_unknown(role) for role in POOLS]
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


def _unknown(name: str) -> PartReadiness:
    return PartReadiness(name=name, state=PartState.UNKNOWN, detail="Only Redis could tell.")


def _asked(name: str, ask: Callable[[], object]) -> PartReadiness:
    try:
        ask()
    except BrokerError as error:
        return PartReadiness(name=name, state=PartState.MISSING, detail=error.detail)
    return PartReadiness(name=name, state=PartState.OK)
