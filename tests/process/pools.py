"""Real worker processes of one namespace, without a station around them."""

import dataclasses
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rq import Queue

from broker.kernel.errors import StorageUnavailableError
from broker.operations.processes import Role
from broker.storage.connection import translated
from broker.wiring import Broker
from config.settings import ROOT, Settings
from tests.waiting import until

START_SECONDS = 15
STOP_SECONDS = 15

SWEEPS = {
    "workers.routing.sweep": Role.ROUTING,
    "workers.delivery.sweep": Role.DELIVERY,
    "workers.retry.sweep": Role.RETRY,
    "workers.retry.reap": Role.RETRY,
}


@dataclasses.dataclass(kw_only=True)
class Pools:
    """Starts and ends worker processes; `logs` is what each wrote."""

    settings: Settings
    directory: Path
    started: list[subprocess.Popen[bytes]] = dataclasses.field(default_factory=list)

    @property
    def environ(self) -> dict[str, str]:
        names = ("WAYSTATION_", "REDIS_URL", "JOBS_REDIS_URL", "API_")
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(names)
        }
        return inherited | {
            "REDIS_URL": str(self.settings.redis_url),
            "JOBS_REDIS_URL": str(self.settings.jobs_redis_url),
            "WAYSTATION_NAMESPACE": self.settings.namespace,
            "WAYSTATION_PARTITIONS": str(self.settings.partitions),
            "WAYSTATION_DATA_DIR": str(self.directory),
            "WAYSTATION_WEBHOOK_ALLOW_PRIVATE": str(self.settings.webhook_allow_private),
        }

    @property
    def log(self) -> Path:
        return self.directory / "workers.log"

    def run(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Run `python -m workers` with these arguments."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "workers", *arguments],
                cwd=ROOT,
                env=self.environ,
                stdout=log,
                stderr=log,
            )
        self.started.append(process)
        return process

    def start(self, broker: Broker, role: Role) -> subprocess.Popen[bytes]:
        """Start a process of a pool, and wait until it says that it lives."""
        process = self.run(role)
        until(
            lambda: process.pid in {one.pid for one in broker.processes.alive(role)},
            within=START_SECONDS,
            what=f"a process of the {role} pool lives; see {self.log}",
        )
        return process

    def check(self, role: Role) -> int:
        """Return the exit status of the health check of a pool."""
        return self.run("health", role).wait(START_SECONDS)


def stopped(process: subprocess.Popen[bytes]) -> int:
    """Send SIGTERM and return the exit status."""
    process.send_signal(signal.SIGTERM)
    return process.wait(STOP_SECONDS)


def killed(process: subprocess.Popen[bytes]) -> None:
    """End it as kill -9 does."""
    process.kill()
    process.wait()


@contextmanager
def pools_of(settings: Settings, directory: Path) -> Iterator[Pools]:
    """Give pools, and leave no process of theirs behind."""
    pools = Pools(settings=settings, directory=directory)
    try:
        yield pools
    finally:
        for process in pools.started:
            if process.poll() is None:
                killed(process)


@contextmanager
def sweeping(broker: Broker, *, every: float = 0.5) -> Iterator[None]:
    """Send the jobs that recur, in the place of the scheduler."""
    done = threading.Event()

    def send() -> None:
        while not done.wait(every):
            for name, role in SWEEPS.items():
                try:
                    with translated():
                        queue_of(broker, role).enqueue(name, ttl=5, result_ttl=0, failure_ttl=60)
                except StorageUnavailableError:
                    continue

    thread = threading.Thread(target=send, name="sweeping")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def queue_of(broker: Broker, role: Role) -> Queue:
    return Queue(broker.keys.jobs_queue(role), connection=broker.jobs.client)
