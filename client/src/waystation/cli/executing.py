"""Running a command for a message, and what its end means for the message."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import IO, Final

import click
import msgspec

from waystation.answers import Delivered
from waystation.cli.conversations import text_of

NEVER_AGAIN: Final = 65
"""EX_DATAERR of sysexits.h: the message is at fault."""
LATER: Final = 75
"""EX_TEMPFAIL of sysexits.h."""
_REASON_CHARACTERS: Final = 2000
_GLANCE_SECONDS: Final = 0.5
_PARTING_SECONDS: Final = 5.0


class Verdict(Enum):
    """What becomes of a message."""

    DONE = "done"
    AGAIN = "again"
    """After a growing pause."""
    LATER = "later"
    """After a pause that the caller names."""
    NEVER = "never"
    """A dead letter."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How the command ended."""

    verdict: Verdict
    reason: str
    output: str | None
    """What it printed, where that was asked for."""


def verdict_of(status: int) -> Verdict:
    """What an exit status means."""
    return {0: Verdict.DONE, LATER: Verdict.LATER, NEVER_AGAIN: Verdict.NEVER}.get(
        status, Verdict.AGAIN
    )


def environment_of(message: Delivered) -> dict[str, str]:
    """The fields of a message as variables; its text comes by standard input, however long."""
    fields = {
        "ID": message.id,
        "FROM": message.from_,
        "KIND": message.kind,
        "SUBJECT": message.subject,
        "PRIORITY": message.priority,
        "THREAD_ID": message.thread_id,
        "REPLY_TO": message.reply_to,
        "CHANNEL": message.channel,
        "CORRELATION_ID": message.correlation_id,
        "ATTEMPT": message.attempt,
        "EXPECTS_REPLY": "1" if message.expects_reply else None,
        "LEASE_TOKEN": message.lease.token if message.lease else None,
    }
    return {
        f"WAYSTATION_MESSAGE_{name}": str(value).replace("\0", "")
        for name, value in fields.items()
        if value is not None
    }


class Execution:
    """A command that runs for a message, in a shell: what the message says is never part of it."""

    def __init__(
        self,
        command: str,
        message: Delivered,
        environ: dict[str, str],
        *,
        as_json: bool,
        keeps_output: bool,
    ) -> None:
        """`as_json` gives it the whole message, else it gets the text."""
        self._process = subprocess.Popen(  # noqa: S602 - the caller's own command line
            command,
            shell=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if keeps_output else None,
            stderr=subprocess.PIPE,
            env=environ | environment_of(message),
        )
        given = msgspec.json.encode(message) if as_json else text_of(message).encode()
        self._printed: list[bytes] = []
        self._last_error: deque[str] = deque(maxlen=1)
        self._threads = [
            threading.Thread(target=work, args=arguments, daemon=True)
            for work, arguments in (
                (_feed, (self._process.stdin, given)),
                (self._pass_on, (self._process.stderr or (),)),
                (self._printed.extend, (self._process.stdout or (),)),
            )
        ]
        for thread in self._threads:
            thread.start()

    def wait(self) -> Ended | None:
        """How it ended; None while it runs, after a moment. What it prints is read meanwhile."""
        try:
            status = self._process.wait(_GLANCE_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        for thread in self._threads:
            # What it left running in the background may hold its pipes for as long as it likes.
            thread.join(_GLANCE_SECONDS)
        ended = f"ended with {status}" if status >= 0 else f"was ended by signal {-status}"
        return Ended(
            verdict=verdict_of(status),
            reason=(self._last_error[0] if self._last_error else f"The command {ended}.")[
                :_REASON_CHARACTERS
            ],
            output=b"".join(self._printed).decode(errors="replace")
            if self._process.stdout
            else None,
        )

    def end(self) -> None:
        """End it before its time, if it still runs."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_PARTING_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _pass_on(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            text = line.decode(errors="replace").rstrip()
            click.echo(text, file=sys.stderr)
            if text.strip():
                self._last_error.append(text.strip())


def _feed(stdin: IO[bytes], given: bytes) -> None:
    try:
        with stdin:
            stdin.write(given)
    except BrokenPipeError:
        pass  # it doesn't care what the message says
