"""Becomes one of the station's processes: `python -m station.child <parent> <starts> <command…>`.

Ties the process to the station's life, and sees that one which ends at once is started once a
second rather than in a loop. Uses the standard library only: it runs before every start.
"""

import os
import signal
import sys
import time
from pathlib import Path

from config.lifeline import die_with_parent

PAUSE_SECONDS = 1.0
"""The least time between two starts of one process."""


def main() -> None:
    """Wait if need be, note the start, and become the command."""
    parent, starts_file, *command = sys.argv[1:]
    die_with_parent(parent_pid=int(parent))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # blocked for supervisord alone
    _count_start(Path(starts_file))
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    environ = os.environ | {"PATH": path}
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606 - becoming it is the purpose
    except OSError as error:
        sys.exit(f"{command[0]} can't be started: {error.strerror}")


def _count_start(file: Path) -> None:
    """Keep `<number of starts> <time of the last>` in the file; pause if that was just now."""
    starts, last = file.read_text().split() if file.exists() else ("0", "0")
    since = time.time() - float(last)
    if 0 <= since < PAUSE_SECONDS:
        time.sleep(PAUSE_SECONDS - since)
    replacement = file.with_suffix(".new")
    try:
        replacement.write_text(f"{int(starts) + 1} {time.time():.3f}\n")
        replacement.replace(file)
    except OSError:
        # The disk is full, say. Nobody will know of this start, so that the next one may be soon.
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
