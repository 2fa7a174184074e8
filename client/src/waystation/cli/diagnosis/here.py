"""Looks at this machine: what is installed, what is configured, whether a station runs here."""

from __future__ import annotations

import fcntl
import importlib.metadata
import os
import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from waystation.cli.diagnosis.observed import Machine, Settings
from waystation.configuration import Configuration, config_path, configured
from waystation.connect.client import Places
from waystation.connect.present import Present, present
from waystation.connect.registry import CLIENTS
from waystation.errors import ConfigurationError
from waystation.version import __version__

_DATA_DIR: Final = "var"
_LOCK: Final = "station.lock"


def machine(start: Path) -> Machine:
    """This machine, seen from the directory `start`."""
    checkout = _checkout(start)
    data_dir = _data_dir(checkout)
    return Machine(
        python=platform.python_version(),
        client=__version__,
        mcp=_version_of("mcp"),
        checkout=checkout,
        runs_here=data_dir is not None and _is_locked(data_dir / _LOCK),
        data_dir=data_dir,
    )


def clients(directory: Path) -> tuple[Present, ...]:
    """The agent CLIs that are installed here; to ask each for its version takes a while."""
    places = Places.here(os.environ, directory)
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda client: present(client, places), CLIENTS)
        return tuple(one for one in found if one.program is not None)


def settings(
    *, url: str | None, agent: str | None, token_file: str | None, profile: str | None
) -> Settings:
    """What the client is told, or why it can't be used."""
    path = config_path()
    found: Configuration | None = None
    error = mode = None
    try:
        found = configured(url=url, agent=agent, token_file=token_file, profile=profile)
    except ConfigurationError as refused:
        error = str(refused)
    if found is not None and found.token_path is not None:
        mode = found.token_path.stat().st_mode
    return Settings(
        path=path, exists=path.exists(), error=error, configuration=found, token_mode=mode
    )


def _version_of(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _checkout(start: Path) -> Path | None:
    """The checkout of a station that `start` is in."""
    for directory in (start, *start.parents):
        if (directory / "Procfile").is_file() and (directory / "script" / "server").is_file():
            return directory
    return None


def _data_dir(checkout: Path | None) -> Path | None:
    if named := os.environ.get("WAYSTATION_DATA_DIR"):
        return Path(named).expanduser()
    return None if checkout is None else checkout / _DATA_DIR


def _is_locked(path: Path) -> bool:
    """Whether a running station holds this lock, which it does for as long as it lives."""
    try:
        with path.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
