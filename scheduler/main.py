"""Runs the scheduler (`python -m scheduler`), or asks whether one lives here (`… health`).

Any number may run: one works, the others stand by.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Sequence
from types import FrameType

import structlog

from broker.kernel.errors import BrokerError, DataVersionError
from broker.operations.processes import Role
from broker.wiring import Broker, build_broker
from config import logging as station_logging
from config.settings import Settings, SettingsError, load_settings
from scheduler import schedule
from scheduler.safe_scheduler import SafeScheduler

_log = structlog.get_logger(__name__)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; exit 0 when asked to stop, 1 with a sentence when it can't run."""
    parser = argparse.ArgumentParser(prog="python -m scheduler", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="command")
    commands.add_parser("health", help="exit 0 if a scheduler lives here")
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
        check(build_broker(settings))
    else:
        run(settings)


def check(broker: Broker) -> None:
    """Exit 0 if a scheduler has beaten on this host lately (for health checks)."""
    try:
        if not broker.processes.lives_here(Role.SCHEDULER):
            sys.exit("No scheduler lives on this host.")
    except BrokerError as error:
        sys.exit(error.detail)


def run(settings: Settings) -> None:
    """Schedule until SIGTERM or SIGINT; Redis may come late, go away and come back."""
    station_logging.configure(
        process="scheduler", fmt=settings.log_format, level=settings.log_level
    )
    broker = build_broker(settings)
    keys = broker.keys
    scheduler = SafeScheduler(
        broker.jobs,
        keys,
        system=schedule.entries(keys, schedule.table(settings)),
        prefix=schedule.prefix(keys),
    )
    ending = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - signal's signature
        ending.set()
        scheduler.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    try:
        if broker.prepare_patiently(ending):
            with broker.processes.heartbeat(Role.SCHEDULER):
                scheduler.run()
    except DataVersionError as error:
        sys.exit(error.detail)
    _log.info("scheduler.stopped")
