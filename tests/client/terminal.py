"""A real terminal, as programs see one, with the installed command line in it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager

from tests.client.command_line import WAYSTATION
from tests.waiting import until

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_SECONDS = 20
_CHUNK = 65536

ALTERNATE_SCREEN = "\x1b[?1049h"
FORMER_SCREEN = "\x1b[?1049l"
VISIBLE_CURSOR = "\x1b[?25h"


class Terminal:
    """What a person in front of it does and sees."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.written = ""
        self._master = master

    @property
    def picture(self) -> list[str]:
        """The lines that were drawn last, from the top of the screen on."""
        drawn = self.read().split("\x1b[H")[-1]
        return _ESCAPES.sub("", drawn).replace("\r", "").split("\n")

    @property
    def is_for_lines(self) -> bool:
        """Whether the terminal echoes and waits for whole lines, as a shell expects it."""
        flags = int(termios.tcgetattr(self._master)[3])
        return bool(flags & termios.ECHO and flags & termios.ICANON)

    def read(self) -> str:
        """All that was written until now."""
        while select.select([self._master], [], [], 0)[0]:
            try:
                self.written += os.read(self._master, _CHUNK).decode()
            except OSError:  # how Linux says that nobody has the other end any more
                break
        return self.written

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def resize(self, *, lines: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def shows(self, text: str) -> None:
        """Wait until the picture has this text."""
        until(
            lambda: text in "\n".join(self.picture),
            within=_SECONDS,
            what=f"{text!r} is shown, in {self.written[-3000:]!r}",
        )

    def ends(self) -> int:
        """Wait for its end; the exit status."""

        def ended() -> bool:
            self.read()
            return self.process.poll() is not None

        until(ended, within=_SECONDS, what="it ends")
        self.read()
        return self.process.returncode


@contextmanager
def in_terminal(
    *words: str, lines: int = 24, columns: int = 80, **environ: str
) -> Iterator[Terminal]:
    """Run the installed command line in a terminal of this size."""
    master, slave = pty.openpty()
    unwanted = ("NO_COLOR", "COLUMNS", "LINES")  # the terminal has a size of its own
    inherited = {name: value for name, value in os.environ.items() if name not in unwanted}
    process = subprocess.Popen(
        [WAYSTATION, *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
        # Ctrl-C reaches whom the terminal controls; one system call takes no lock of a thread.
        preexec_fn=lambda: fcntl.ioctl(slave, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        env=inherited | {"TERM": "xterm-256color"} | environ,
    )
    terminal = Terminal(process, master)
    terminal.resize(lines=lines, columns=columns)
    try:
        yield terminal
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(slave)
        os.close(master)
