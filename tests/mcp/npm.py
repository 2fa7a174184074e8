"""Programs of others, from npm in the versions of `package-lock.json`, at a desk of their own."""

from __future__ import annotations

import dataclasses
import fcntl
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Self

HERE = Path(__file__).parent
INSTALL_SECONDS = 600
RUN_SECONDS = 150
"""Agent CLIs ask again for over a minute when something is wrong: the clock is ours."""


class NotInstalled(Exception):  # noqa: N818 - what a test run that asked for it ends with
    """The packages can't be had here."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a program wrote, and how it ended."""

    command: tuple[str, ...]
    status: int
    output: str
    errors: str

    def __str__(self) -> str:
        """All that a failed test should show."""
        return f"{' '.join(self.command)}\nstatus {self.status}\n{self.output}\n{self.errors}"


@dataclasses.dataclass(frozen=True)
class Packages:
    """The directory they are installed in."""

    directory: Path

    @property
    def path(self) -> str:
        """Where their programs are, and what a shell and the system need."""
        modules = self.directory / "node_modules"
        # OpenCode's own package names builds that are not published; its build for Linux is enough.
        own = f"{modules}/.bin:{modules}/opencode-linux-x64/bin"
        node = shutil.which("node", path=f"{own}:{os.environ['PATH']}") or "/usr/bin/node"
        return f"{own}:{Path(node).parent}:/usr/local/bin:/usr/bin:/bin"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Desk:
    """A home directory where nothing of the user's is, and the packages to use there."""

    packages: Packages
    home: Path

    def beside(self, name: str) -> Self:
        """Return another desk."""
        home = self.home.with_name(name)
        home.mkdir()
        return dataclasses.replace(self, home=home)

    def run(
        self,
        *command: str,
        environ: Mapping[str, str] | None = None,
        seconds: float = RUN_SECONDS,
    ) -> Outcome:
        """Run a program to its end."""
        path = self.packages.path
        found = shutil.which(command[0], path=path)
        assert found is not None, f"{command[0]} is not in {path}"
        process = subprocess.run(
            [found, *command[1:]],
            cwd=self.home,
            env={"PATH": path, "HOME": str(self.home), "TERM": "dumb"} | dict(environ or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Outcome(
            command=command,
            status=process.returncode,
            output=process.stdout,
            errors=process.stderr,
        )


def install(directory: Path) -> Packages:
    """Install the locked packages there, unless they are; processes that start together take turns.

    Raises:
        NotInstalled: npm is missing, or could not install them.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise NotInstalled("--real-clients needs npm, which comes with Node.js, on PATH")
    directory.mkdir(parents=True, exist_ok=True)
    lock = (HERE / "package-lock.json").read_text()
    stamp = directory / "installed-lock.json"
    with (directory / "lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not (stamp.exists() and stamp.read_text() == lock):
            stamp.unlink(missing_ok=True)
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, directory)
            done = subprocess.run(
                [npm, "ci", "--no-audit", "--no-fund"],
                cwd=directory,
                capture_output=True,
                text=True,
                timeout=INSTALL_SECONDS,
                check=False,
            )
            if done.returncode:
                raise NotInstalled(f"npm ci in {directory} failed:\n{done.stderr}")
            stamp.write_text(lock)
    return Packages(directory)
