"""Programs of the client's users, as processes that can be stopped and killed."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

_HEAD = """
import sys
from waystation import Agent

def say(*words):
    print(*words, flush=True)
"""


@contextmanager
def program(source: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program that has `Agent` and `say`, by which it tells of itself a line at a time.

    It is killed in the end, if it still runs.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", _HEAD + textwrap.dedent(source), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if "WAYSTATION" not in name},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    """The next line that a program says; empty at its end."""
    assert process.stdout is not None
    return process.stdout.readline().strip()
