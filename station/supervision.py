"""Writes supervisord's configuration from the Procfile: everything is restarted, and in order.

supervisord gives up on a process that ends too soon after its start too often, and waits one second
longer before each try. Neither suits a station, so `startsecs` is 0 (it never counts a start as
failed) and station.child makes the pause, always the same one.
"""

import re
import shlex
import sys
from collections.abc import Sequence

from config.settings import ROOT
from station.errors import StationError
from station.layout import Layout
from station.procfile import Entry

STOP_SECONDS = 15
"""How long a process may take to finish or return its work after SIGTERM (SPEC O9)."""

_SUPERVISOR = """\
; Written by `python -m station` at each start; edit the Procfile instead.
[supervisord]
nodaemon = true
silent = true
logfile = {log}
logfile_maxbytes = 10MB
logfile_backups = 2
pidfile = {pidfile}
directory = {root}
nocleanup = true
minfds = 64
umask = 077
"""

_PROGRAM = """
[program:{name}]
command = {command}
priority = {priority}
autorestart = true
startsecs = 0
stopsignal = TERM
stopwaitsecs = {stop_seconds}
killasgroup = true
redirect_stderr = true
stdout_logfile = {log}
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 3
"""

# Groups stop one after the other, the last one first: whatever uses Redis, then Redis.
_GROUP = """
[group:station]
programs = {names}
priority = 2
"""


def render(entries: Sequence[Entry], layout: Layout, *, supervisor_pid: int) -> str:
    """Return the text of supervisord.conf for these processes.

    Raises:
        StationError: for a path or command that supervisord's format can't carry.
    """
    users = [entry.name for entry in entries if entry.name != "redis"]
    programs = "".join(
        _PROGRAM.format(
            name=entry.name,
            command=_plain(shlex.join(_launch(entry, layout, supervisor_pid))),
            priority=1 if entry.name == "redis" else 2,
            stop_seconds=STOP_SECONDS,
            log=_plain(str(layout.log_of(entry.name))),
        )
        for entry in entries
    )
    supervisor = _SUPERVISOR.format(
        log=_plain(str(layout.log_of("station"))),
        pidfile=_plain(str(layout.run / "station.pid")),
        root=_plain(str(ROOT)),
    )
    return supervisor + programs + _GROUP.format(names=",".join(users))


def _launch(entry: Entry, layout: Layout, supervisor_pid: int) -> list[str]:
    """Return the command that ties the process to the station's life, then becomes it."""
    launcher = [sys.executable, "-S", "-m", "station.child"]  # -S: it needs no site-packages
    return [*launcher, str(supervisor_pid), str(layout.starts_of(entry.name)), *entry.command]


def _plain(text: str) -> str:
    """Return the text if supervisord takes it as it stands.

    It begins a comment at ` ;` and ` #`, which can't be escaped, and expands % once in a command
    and twice in the name of a log.
    """
    if re.search(r"%|\s[;#]", text):
        raise StationError(f"No path or command may hold % or a space before ; or #: {text}")
    return text
