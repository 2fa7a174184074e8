"""The living processes of the station: each beats, and anybody can ask who is alive (SPEC O1)."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import secrets
import socket
import threading
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Final, Self

import structlog

from broker.kernel.clock import Clock
from broker.kernel.errors import BrokerError
from broker.storage.connection import Redis
from broker.storage.keys import Keys

_BEAT_SECONDS: Final = 2.0
_JITTER_SECONDS: Final = 0.2
# Three beats: a process counts as dead before the five seconds of a recovery are long over.
_LIFE_MS: Final = 6_000

_log = structlog.get_logger(__name__)


class Role(StrEnum):
    """What a process of the station does; the command line of each names it."""

    WEB = "web"
    ROUTING = "routing"
    DELIVERY = "delivery"
    RETRY = "retry"
    EXECUTION = "execution"
    SCHEDULER = "scheduler"


@dataclass(frozen=True, kw_only=True)
class ProcessInfo:
    """A process of the station; `started_at` in ms. Its name is unique among all hosts."""

    role: Role
    name: str
    host: str
    pid: int
    started_at: int


def unique_name() -> str:
    """A name for this process that no other has had: host, pid, and something random."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


class Processes:
    """Who is alive. A process that stops beating is forgotten after six seconds."""

    def __init__(self, redis: Redis, keys: Keys, clock: Clock) -> None:
        self._redis = redis
        self._keys = keys
        self._clock = clock

    def beat(self, process: ProcessInfo) -> None:
        """Note that a process lives."""
        fields = json.dumps(dataclasses.asdict(process), separators=(",", ":"))
        self._redis.commands(
            [
                ("SET", self._keys.worker(process.role, process.name), fields, "PX", _LIFE_MS),
                ("ZADD", self._keys.workers(), self._clock(), _member(process.role, process.name)),
            ]
        )

    def forget(self, process: ProcessInfo) -> None:
        """Note that a process has ended by its own decision."""
        self._redis.commands(
            [
                ("DEL", self._keys.worker(process.role, process.name)),
                ("ZREM", self._keys.workers(), _member(process.role, process.name)),
            ]
        )

    def alive(self, role: Role | None = None) -> list[ProcessInfo]:
        """The processes that have beaten within the last six seconds, by role and start.

        Takes the dead off the index. One that has come back meanwhile enters it with its next beat.
        """
        members = [
            member.decode() for member in self._redis.command("ZRANGE", self._keys.workers(), 0, -1)
        ]
        found = self._redis.commands(
            [("GET", self._keys.worker(*member.split(":", 1))) for member in members]
        )
        dead = [member for member, fields in zip(members, found, strict=True) if fields is None]
        if dead:
            self._redis.command("ZREM", self._keys.workers(), *dead)
        living = [_process(fields) for fields in found if fields is not None]
        return sorted(
            (process for process in living if role is None or process.role is role),
            key=lambda process: (process.role, process.started_at),
        )

    def lives_here(self, role: Role) -> bool:
        """Whether a process of this role is alive on this host."""
        here = socket.gethostname()
        return any(process.host == here for process in self.alive(role))

    def heartbeat(self, role: Role, name: str | None = None) -> Heartbeat:
        """What makes this process beat: a context in which it does, from a thread of its own."""
        return Heartbeat(
            self,
            ProcessInfo(
                role=role,
                name=name or unique_name(),
                host=socket.gethostname(),
                pid=os.getpid(),
                started_at=self._clock(),
            ),
        )


class Heartbeat:
    """Beats for one process every two seconds until it is stopped; Redis may come and go.

    Start it after any fork: threads stay behind in the parent.
    """

    def __init__(self, processes: Processes, process: ProcessInfo) -> None:
        self.process = process
        self._processes = processes
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def stop(self) -> None:
        """Stop beating, and say so at once where Redis is there."""
        self._stopped.set()
        self._thread.join()
        try:
            self._processes.forget(self.process)
        except BrokerError as error:
            _log.debug("heartbeat.end_not_told", error=error.detail)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self) -> None:
        missed = False
        while not self._stopped.is_set():
            try:
                self._processes.beat(self.process)
            except BrokerError as error:
                # Once is enough: everything else that uses Redis complains as well.
                if not missed:
                    _log.warning("heartbeat.missed", error=error.detail)
                missed = True
            else:
                missed = False
            self._stopped.wait(_BEAT_SECONDS + random.uniform(-_JITTER_SECONDS, _JITTER_SECONDS))


def _member(role: Role, name: str) -> str:
    return f"{role}:{name}"


def _process(fields: bytes) -> ProcessInfo:
    stored = json.loads(fields)
    return ProcessInfo(**{**stored, "role": Role(stored["role"])})
