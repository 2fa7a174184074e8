"""Running the command line in the tests' own process, and as the installed command."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from waystation.cli import main

WAYSTATION = str(Path(sys.executable).with_name("waystation"))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ended:
    """How a call of the command line ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)

    @property
    def documents(self) -> list[Any]:
        """The JSON documents on stdout, one a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def problem(self) -> Any:
        """The one JSON document on stderr."""
        return json.loads(self.stderr)


@dataclasses.dataclass(frozen=True, kw_only=True)
class CommandLine:
    """The command line at one station."""

    url: str

    def __call__(self, *words: str, stdin: str | bytes | None = None) -> Ended:
        """Run it here, as fast as that goes."""
        ended = CliRunner().invoke(main, ["--url", self.url, *words], input=stdin)
        if ended.exception is not None and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return Ended(exit_code=ended.exit_code, stdout=ended.stdout, stderr=ended.stderr)

    def start(self, *words: str, **environ: str) -> subprocess.Popen[str]:
        """Start the installed command, with pipes, and return at once."""
        return subprocess.Popen(
            [WAYSTATION, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"WAYSTATION_URL": self.url} | environ,
        )

    def process(self, *words: str, stdin: str | None = None, **environ: str) -> Ended:
        """Run the installed command to its end."""
        with self.start(*words, **environ) as process:
            stdout, stderr = process.communicate(stdin, timeout=60)
        return Ended(exit_code=process.returncode, stdout=stdout, stderr=stderr)
