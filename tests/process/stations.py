"""A real station in a directory of its own, for tests that stop and kill its processes."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests

from config.settings import ROOT
from tests.waiting import until

START_SECONDS = 60
STOP_SECONDS = 20


@dataclasses.dataclass(kw_only=True)
class Station:
    """A station's process, where it listens, and where it keeps its files."""

    process: subprocess.Popen[str]
    port: int
    data_dir: Path
    output: Path
    seen: list[psutil.Process] = dataclasses.field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/health/ready", timeout=2).ok
        except (requests.ConnectionError, requests.Timeout):
            return False

    def wait_until_ready(self, *, within: float = START_SECONDS) -> None:
        until(self.is_ready, within=within, what=f"{self.url} is ready; logs in {self.data_dir}")

    def descendants(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def services(self) -> set[int]:
        """Return the pids of what the station keeps running."""
        commands = {p.pid: command_of(p) for p in self.descendants()}
        return {pid for pid, words in commands.items() if words and "station.announce" not in words}

    def find(self, *words: str) -> psutil.Process | None:
        """Return the process whose command line ends with these words, if it runs."""
        return next(iter(self.find_all(*words)), None)

    def find_all(self, *words: str) -> list[psutil.Process]:
        """Return the processes whose command line ends with these words."""
        return [p for p in self.descendants() if command_of(p)[-len(words) :] == list(words)]

    def get(self, *words: str, within: float = 10) -> psutil.Process:
        what = f"a process `{' '.join(words)}`"
        return until(lambda: self.find(*words), within=within, what=what)

    def redis(self) -> psutil.Process:
        def find() -> psutil.Process | None:
            return next((p for p in self.descendants() if "-server" in p.name()), None)

        return until(find, within=10, what="a Redis server")

    def kill(self) -> None:
        """Send kill -9 to the station's own process, remembering what it leaves."""
        self.seen = self.descendants()
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Send SIGTERM and return the exit status."""
        self.seen = self.descendants()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)

    def survivors(self) -> list[psutil.Process]:
        """Return what still runs of the processes that it had when it was stopped or killed."""
        return psutil.wait_procs(self.seen, timeout=5)[1]


def command_of(process: psutil.Process) -> list[str]:
    """Return its command line, or nothing if it has just ended."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def launch(data_dir: Path, *, port: int, **environ: str) -> Station:
    """Start `python -m station` and return at once."""
    output = data_dir.with_suffix(".out")
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WAYSTATION_", "REDIS_URL", "JOBS_REDIS_URL", "API_"))
    }
    with output.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "station"],
            cwd=ROOT,
            env=inherited | {"API_PORT": str(port), "WAYSTATION_DATA_DIR": str(data_dir)} | environ,
            stdout=stream,
            stderr=subprocess.STDOUT,
            text=True,
        )
    return Station(process=process, port=port, data_dir=data_dir, output=output)


@contextmanager
def running(data_dir: Path, *, port: int | None = None, **environ: str) -> Iterator[Station]:
    """Give a station that is ready, and see that nothing of it is left."""
    station = launch(data_dir, port=port or free_port(), **environ)
    try:
        station.wait_until_ready()
        yield station
    finally:
        if station.process.poll() is None:
            station.stop()
        assert not station.survivors()
