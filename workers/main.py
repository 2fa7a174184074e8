"""Runs one process of a worker pool (`python -m workers routing`), or asks after one here."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Final

import structlog

from broker.kernel.errors import (
    BrokerError,
    DataVersionError,
    StorageFullError,
    StorageUnavailableError,
)
from broker.operations.processes import Role
from broker.storage.connection import connect, translated
from config import logging as station_logging
from config.settings import Settings, SettingsError, load_settings
from workers import delivery, execution, retry, routing, station
from workers.pool_worker import ForkingPoolWorker, PoolWorker, SimplePoolWorker

POOLS: Final[Mapping[Role, type[PoolWorker]]] = {
    Role.ROUTING: SimplePoolWorker,
    Role.DELIVERY: SimplePoolWorker,
    Role.RETRY: SimplePoolWorker,
    Role.EXECUTION: ForkingPoolWorker,
}
# Jobs need room in Redis. What these pools are there for needs none, and makes some: when Redis is
# out of memory, they go on without jobs.
WITHOUT_JOBS: Final[Mapping[Role, Callable[[], None]]] = {
    Role.ROUTING: routing.drain_unrung,
    Role.RETRY: retry.sweep,
    Role.DELIVERY: delivery.sweep,
}
# What goes on in a process after the jobs that began it.
ENDINGS: Final[Mapping[Role, Callable[[], None]]] = {Role.DELIVERY: delivery.stop}
# RQ imports a job's module when the first job names it; these are there before.
JOBS: Final = (delivery, execution, retry, routing)

_RECONNECT_SECONDS: Final = 0.5
# A job at hand may take this long once the process is asked to stop; its supervisor waits longer.
_GRACE_SECONDS: Final = 10.0

_log = structlog.get_logger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exit 0 when asked to stop, 1 with a sentence when it can't run."""
    parser = argparse.ArgumentParser(prog="python -m workers", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    for role in POOLS:
        commands.add_parser(role, help=f"run a process of the {role} pool")
    health = commands.add_parser("health", help="exit 0 if a process of this pool lives here")
    health.add_argument("pool", choices=[str(role) for role in POOLS])
    chosen = parser.parse_args(arguments)
    try:
        settings = load_settings()
    except SettingsError as error:
        sys.exit(str(error))
    if settings.redis_url is None:
        sys.exit(
            "REDIS_URL is not set, and no station has run its own Redis in"
            f" {settings.data_dir} yet. Set it, or run script/server."
        )
    if chosen.command == "health":
        check(Role(chosen.pool))
    else:
        run(Role(chosen.command), settings)


def check(role: Role) -> None:
    """Exit 0 if a process of this pool has beaten on this host lately (for health checks)."""
    try:
        if not station.broker().processes.lives_here(role):
            sys.exit(f"No process of the {role} pool lives on this host.")
    except BrokerError as error:
        sys.exit(error.detail)


def run(role: Role, settings: Settings) -> None:
    """Work in a pool until SIGTERM or SIGINT; Redis may come late, go away and come back."""
    station_logging.configure(process=role, fmt=settings.log_format, level=settings.log_level)
    # RQ tells of each of the hundreds of jobs a second.
    logging.getLogger("rq.worker").setLevel(logging.WARNING)
    shift = Shift()
    shift.end_on_signals()
    try:
        if station.broker().prepare_patiently(shift.ending):
            with station.broker().processes.heartbeat(role):
                shift.work(role, settings, station.broker().keys.jobs_queue(role))
                _end_what_goes_on(role)
    except DataVersionError as error:
        sys.exit(error.detail)
    _log.info("worker.stopped", pool=role)


class Shift:
    """The working life of this process: one RQ worker after another, until a signal ends it."""

    def __init__(self) -> None:
        self.ending = threading.Event()
        self._worker: PoolWorker | None = None

    def end_on_signals(self) -> None:
        """Let SIGTERM and SIGINT end it: the job at hand is finished, if it soon is."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)

    def work(self, role: Role, settings: Settings, queue: str) -> None:
        """Take jobs; a Redis that goes away costs a pause, and a new worker when it is back."""
        url = settings.jobs_redis_url or settings.redis_url or ""
        while not self.ending.is_set():
            try:
                with translated():
                    self._worker = POOLS[role](queue, connection=connect(url))
                    _log.info("worker.started", queue=queue, name=self._worker.name)
                    self._worker.run(self.ending)
            except StorageUnavailableError as error:
                if self._worker is not None:
                    _log.warning("worker.lost_redis", error=error.detail)
                self._worker = None
                if isinstance(error, StorageFullError):
                    _go_on_without_jobs(role)
                self.ending.wait(_RECONNECT_SECONDS)

    def _end(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - signal's signature
        if not self.ending.is_set():
            self.ending.set()
            timer = threading.Timer(_GRACE_SECONDS, self._give_up)
            timer.daemon = True
            timer.start()

    def _give_up(self) -> None:
        """Leave a job undone: whatever it was, it is safe to repeat, and it will be."""
        _log.warning("worker.left_a_job_undone", after_seconds=_GRACE_SECONDS)
        if self._worker is not None and self._worker.horse_pid:
            self._worker.kill_horse()
        else:
            os._exit(0)


def _end_what_goes_on(role: Role) -> None:
    if role not in ENDINGS:
        return
    try:
        ENDINGS[role]()
    except StorageUnavailableError as error:
        _log.warning("worker.ended_without_redis", error=error.detail)


def _go_on_without_jobs(role: Role) -> None:
    if role not in WITHOUT_JOBS:
        return
    try:
        WITHOUT_JOBS[role]()
    except StorageUnavailableError as error:
        _log.warning("worker.has_no_room", error=error.detail)
