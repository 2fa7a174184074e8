"""What a figure holds for: the machine and the versions, with nothing that names the machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import msgspec

from broker.storage.connection import Redis


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run was made."""

    cores: int
    cpu: str
    memory_gib: float
    system: str
    python: str
    redis: str
    fsync: str

    def sentence(self) -> str:
        """It in one line."""
        return (
            f"{self.cores} cores ({self.cpu}), {self.memory_gib:g} GiB, {self.system}, "
            f"Python {self.python}, {self.redis}, appendfsync {self.fsync}; load included"
        )


def describe(redis: Redis) -> Machine:
    """This machine, and the Redis that runs on it."""
    info: dict[str, Any] = redis.client.info("server")
    name = info.get("server_name", "redis")
    version = info.get(f"{name}_version", info["redis_version"])
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _cores(),
        cpu=_cpu(),
        memory_gib=round(pages / 2**30, 1),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        redis=f"{name.capitalize()} {version}",
        fsync=str(redis.client.config_get("appendfsync")["appendfsync"]),
    )


def _cores() -> int:
    return os.cpu_count() or 1


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        "unknown",
    )
