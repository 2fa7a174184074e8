"""Running a command for a message, and what its end means for the message."""

from __future__ import annotations

import contextlib
import os
import signal
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
    """A command that runs for a message, in a shell: what the message says is never part of it.

    It is started and ended on a thread of its own, so that an interruption, which comes to the main
    thread at any moment, leaves nothing running once `end` is called.
    """

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
        self._command = command
        self._environ = environ | environment_of(message)
        self._given = msgspec.json.encode(message) if as_json else text_of(message).encode()
        self._keeps_output = keeps_output
        self._printed: list[bytes] = []
        self._last_error: deque[str] = deque(maxlen=1)
        self._is_unwanted = threading.Event()
        self._ended: Ended | None = None
        self._failure: OSError | None = None
        self._is_begun = False
        # An event in place of a join: a join that was interrupted takes the thread for ended.
        self._is_over = threading.Event()

    def start(self) -> None:
        """Begin."""
        self._is_begun = True
        threading.Thread(target=self._supervise, name="execution", daemon=True).start()

    def wait(self) -> Ended | None:
        """How it ended; None while it runs, after a moment."""
        self._is_over.wait(_GLANCE_SECONDS)
        if self._failure is not None:
            raise self._failure
        return self._ended

    def end(self) -> None:
        """End it before its time, if it still runs."""
        self._is_unwanted.set()
        if self._is_begun:
            self._is_over.wait(2 * _PARTING_SECONDS)

    def _supervise(self) -> None:
        try:
            self._ended = self._how_it_ended(self._run())
        except OSError as error:
            self._failure = error
        finally:
            self._is_over.set()

    def _run(self) -> int:
        process = subprocess.Popen(  # noqa: S602 - the caller's own command line
            self._command,
            shell=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if self._keeps_output else None,
            stderr=subprocess.PIPE,
            env=self._environ,
            process_group=0,  # so that all that it starts can be ended
        )
        threads = [
            threading.Thread(target=work, args=arguments, daemon=True)
            for work, arguments in (
                (_feed, (process.stdin, self._given)),
                (self._pass_on, (process.stderr or (),)),
                (self._printed.extend, (process.stdout or (),)),
            )
        ]
        for thread in threads:
            thread.start()
        status = self._status_of(process)
        for thread in threads:
            # What it left running in the background may hold its pipes for as long as it likes.
            thread.join(_GLANCE_SECONDS)
        return status

    def _status_of(self, process: subprocess.Popen[bytes]) -> int:
        while not self._is_unwanted.is_set():
            try:
                return process.wait(_GLANCE_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        _end_group(process, signal.SIGTERM)
        try:
            return process.wait(_PARTING_SECONDS)
        except subprocess.TimeoutExpired:
            _end_group(process, signal.SIGKILL)
            return process.wait()

    def _how_it_ended(self, status: int) -> Ended:
        ended = f"ended with {status}" if status >= 0 else f"was ended by signal {-status}"
        complaint = self._last_error[0] if self._last_error else f"The command {ended}."
        return Ended(
            verdict=verdict_of(status),
            reason=complaint[:_REASON_CHARACTERS],
            output=b"".join(self._printed).decode(errors="replace") if self._keeps_output else None,
        )

    def _pass_on(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            text = line.decode(errors="replace").rstrip()
            click.echo(text, file=sys.stderr)
            if text.strip():
                self._last_error.append(text.strip())


def _end_group(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it has just ended by itself
        os.killpg(process.pid, how)


def _feed(stdin: IO[bytes], given: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), stdin:  # it may not care what the message says
        stdin.write(given)
