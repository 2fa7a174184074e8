"""A terminal: one bash that keeps its variables and directory from one command to the next."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from pathlib import Path
from typing import Final

_COMMAND_SECONDS: Final = 60


class Shell:
    """Runs commands one after the other, or leaves one running.

    `directory` is where it begins; what it writes about its commands goes to `notes`.
    """

    def __init__(self, directory: Path, notes: Path, environ: dict[str, str]) -> None:
        self._notes = notes
        self._count = 0
        reading, writing = os.pipe()
        self._statuses = os.fdopen(reading, "rb", buffering=0)
        self._bash = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=directory,
            env=environ | {"_STATUS_FD": str(writing)},
            stdin=subprocess.PIPE,
            pass_fds=[writing],
            start_new_session=True,
            text=True,
        )
        os.close(writing)

    def start(self, text: str) -> Path:
        """Give it a command; where its output goes."""
        self._count += 1
        script, output = (self._notes / f"{self._count}{end}" for end in (".sh", ".out"))
        script.write_text(f"{text}\n")
        output.touch()
        assert self._bash.stdin is not None
        # The status of a command is what the next one finds in `$?`. What it starts in the
        # background must not hold the pipe open.
        self._bash.stdin.write(
            f'(exit ${{_status:-0}}); . "{script}" >"{output}" 2>&1 </dev/null; _status=$?; '
            "echo $_status >&$_STATUS_FD\n"
        )
        self._bash.stdin.flush()
        return output

    def run(self, text: str) -> tuple[int, str]:
        """Run a command; its exit status and what it printed.

        Raises `TimeoutError` if it does not end.
        """
        output = self.start(text)
        ready, _, _ = select.select([self._statuses], [], [], _COMMAND_SECONDS)
        if not ready:
            raise TimeoutError(f"still running after {_COMMAND_SECONDS} s: {output.read_text()}")
        status = self._statuses.readline()
        return int(status or self._bash.wait()), output.read_text()

    def end(self) -> None:
        """End it, and all that it left running."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._bash.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.wait()
        self._statuses.close()
        assert self._bash.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._bash.stdin.close()
