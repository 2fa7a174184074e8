"""The processes of a benchmark: a station of its own, the echo beside it, and the load."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.crowd import Crowd, Received
from bench.load import Load, Measured
from bench.raw_scripts import RawScripts
from broker.wiring import Broker, build_broker
from config.settings import ROOT, load_settings

START_SECONDS: Final = 60.0
STOP_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.02
_LOAD_SECONDS: Final = 120.0

# So deep that no figure is cut short by a refusal; the depth figure fills one inbox this far.
_QUEUE_MAX_DEPTH: Final = 2_000_000


_Process = subprocess.Popen[bytes]


class BenchError(Exception):
    """A process of the benchmark did not do its part; the message says where to look."""


@dataclass(frozen=True, kw_only=True)
class Station:
    """A running station, and what reaches its Redis directly."""

    port: int
    echo_port: int
    data_dir: Path
    pid: int
    redis_url: str
    ready_after_seconds: float

    def broker(self, namespace: str) -> Broker:
        """A broker on the station's Redis; any namespace but the station's is left to itself."""
        settings = load_settings(
            {
                "REDIS_URL": self.redis_url,
                "WAYSTATION_DATA_DIR": str(self.data_dir),
                "WAYSTATION_NAMESPACE": namespace,
                "WAYSTATION_QUEUE_MAX_DEPTH": str(_QUEUE_MAX_DEPTH),
            }
        )
        broker = build_broker(settings)
        broker.prepare()
        return broker


@contextmanager
def station() -> Iterator[Station]:
    """A station with a data directory on this checkout's disk, where fsync means what it says."""
    var = ROOT / "var"
    var.mkdir(exist_ok=True)
    data_dir = Path(tempfile.mkdtemp(prefix="bench-", dir=var))
    port, echo_port = _free_port(), _free_port()
    started = time.perf_counter()
    with _running("station", [sys.executable, "-m", "station"], data_dir / "station", port) as main:
        wait_until(_answers(main, port, "/health/ready"), "the station is ready")
        ready_after_seconds = time.perf_counter() - started
        gunicorn = ["-m", "gunicorn", "-c", "config/gunicorn.conf.py", "bench.echo:create_app()"]
        with _running("echo", [sys.executable, *gunicorn], data_dir / "echo", echo_port) as echo:
            wait_until(_answers(echo, echo_port, "/health"), "the echo answers")
            yield Station(
                port=port,
                echo_port=echo_port,
                data_dir=data_dir,
                pid=main.pid,
                redis_url=(data_dir / "station" / "redis" / "url").read_text().strip(),
                ready_after_seconds=ready_after_seconds,
            )
    shutil.rmtree(data_dir)


def under_load(load: Load) -> Measured:
    """Drive this load in a process of its own. Raises `BenchError` if it fails."""
    return _child("bench.load", load)


def raw_scripts(task: RawScripts) -> Measured:
    """Call scripts in a process of its own. Raises `BenchError` if it fails."""
    return _child("bench.raw_scripts", task)


@contextmanager
def crowd(task: Crowd) -> Iterator[list[Received]]:
    """Agents that are connected inside; what they received stands in the list afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.crowd"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    received: list[Received] = []
    try:
        if process.stdin is None or process.stdout is None:
            raise TypeError(process)
        process.stdin.write(msgspec.json.encode(task) + b"\n")
        process.stdin.flush()
        if process.stdout.readline() != b"ready\n":
            raise BenchError(f"{len(task.agents)} agents could not connect")
        yield received
        answer, _ = process.communicate(timeout=STOP_SECONDS)
        received.append(msgspec.json.decode(answer, type=Received))
    except (msgspec.DecodeError, subprocess.TimeoutExpired, BrokenPipeError) as error:
        raise BenchError(f"bench.crowd failed: {error}") from error
    finally:
        process.kill()
        process.wait()


def _child(module: str, task: msgspec.Struct) -> Measured:
    try:
        done = subprocess.run(
            [sys.executable, "-m", module],
            cwd=ROOT,
            input=msgspec.json.encode(task),
            stdout=subprocess.PIPE,
            timeout=_LOAD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise BenchError(f"{module} took more than {_LOAD_SECONDS:g} seconds") from None
    if done.returncode != 0:
        raise BenchError(f"{module} failed with {done.returncode}")
    return msgspec.json.decode(done.stdout, type=Measured)


def wait_until(condition: Callable[[], Any], what: str, *, within: float = START_SECONDS) -> None:
    """Wait for a condition. Raises `BenchError` when its time is over."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"Not within {within:g} seconds: {what}")
        time.sleep(_POLL_SECONDS)


@contextmanager
def _running(name: str, command: list[str], data_dir: Path, port: int) -> Iterator[_Process]:
    """Run a process of the station's code; its output goes to a file beside its data."""
    data_dir.mkdir()
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WAYSTATION_", "REDIS_URL", "JOBS_REDIS_URL", "API_"))
    }
    environ = inherited | {
        "API_PORT": str(port),
        "WAYSTATION_DATA_DIR": str(data_dir),
        "WAYSTATION_QUEUE_MAX_DEPTH": str(_QUEUE_MAX_DEPTH),
    }
    output = data_dir.with_suffix(".out")
    with output.open("w") as stream:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        yield process
    except BenchError as error:
        raise BenchError(f"{error}\nThe output of the {name} is in {output}") from error
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(process: _Process, port: int, path: str) -> Callable[[], bool]:
    """Whether a process answers 200. Raises `BenchError` when it has ended."""

    def answers() -> bool:
        if process.poll() is not None:
            raise BenchError(f"It ended with {process.returncode} before it answered {path}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    return answers
