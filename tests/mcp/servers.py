"""`waystation mcp` as a program of its own, over both of its transports."""

from __future__ import annotations

import dataclasses
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.settings import ROOT
from tests.process.stations import free_port
from tests.waiting import until

WAYSTATION = Path(sys.executable).with_name("waystation")
START_SECONDS = 30


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stdio:
    """A client starts the server itself, and talks to it by pipes."""

    command: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Http:
    """The server runs, and listens."""

    url: str


Served = Stdio | Http

Program = tuple[str, ...]


def stdio(agent: str, station_url: str, *, program: Program = (str(WAYSTATION),)) -> Stdio:
    """Return how a client starts the server of an agent."""
    return Stdio(command=(*program, "mcp", "--agent", agent, "--url", station_url))


@contextmanager
def http(agent: str, station_url: str, *, program: Program = (str(WAYSTATION),)) -> Iterator[Http]:
    """Serve an agent over streamable HTTP."""
    port = free_port()
    started = stdio(agent, station_url, program=program)
    command = [*started.command, "--http", f"127.0.0.1:{port}"]
    process = subprocess.Popen(command, cwd=ROOT)

    def listens() -> bool:
        assert process.poll() is None, f"{command} ended with {process.returncode}"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(listens, within=START_SECONDS, what=f"{command} listens")
        yield Http(url=f"http://127.0.0.1:{port}/mcp")
    finally:
        process.terminate()
        process.wait(START_SECONDS)


@contextmanager
def serving(transport: str, agent: str, station_url: str) -> Iterator[Served]:
    """Serve an agent over the transport of this name."""
    if transport == "stdio":
        yield stdio(agent, station_url)
    else:
        with http(agent, station_url) as served:
            yield served
