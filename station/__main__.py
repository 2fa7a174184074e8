"""Starts a station: checks what can be checked beforehand, then becomes its supervisor."""

import fcntl
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys

from config.settings import ROOT, Settings, SettingsError, load_settings
from station import procfile, redis_server, supervision
from station.errors import StationError
from station.layout import Layout

_OPEN_FILES = 65_536


def main() -> None:
    """Become supervisord over the Procfile's processes, or say in a sentence why not."""
    os.umask(0o077)
    try:
        settings = load_settings()
        layout = Layout(data_dir=settings.data_dir)
        _take(layout)
        _check_port(settings)
        entries = procfile.parse((ROOT / "Procfile").read_text())
        if settings.redis_is_embedded:
            redis_server.find_server()
            redis_server.prepare(settings)
        else:
            entries = tuple(entry for entry in entries if entry.name != "redis")
        layout.supervisor_config.write_text(
            supervision.render(entries, layout, supervisor_pid=os.getpid())
        )
    except (SettingsError, StationError) as error:
        sys.exit(str(error))
    _allow_open_files()
    command = [sys.executable, "-m", "station.announce", str(os.getpid())]
    subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)  # noqa: S603 - our own module
    # A closed terminal would make supervisord reload, and lose the lock: it is not to hear of it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    supervisor = [sys.executable, "-m", "supervisor.supervisord", "-c"]
    os.chdir(ROOT)
    os.execv(sys.executable, [*supervisor, str(layout.supervisor_config)])  # noqa: S606


def _take(layout: Layout) -> None:
    """Lock the data directory for the life of this process and make its folders.

    Raises:
        StationError: if another station has it, or it can't be written.
    """
    try:
        layout.data_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(layout.lock, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise StationError(f"{layout.data_dir} can't be used: {error.strerror}.") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StationError(
            f"A station runs in {layout.data_dir} (pid {layout.lock.read_text().strip()}). Stop it,"
            " or give this one its own WAYSTATION_DATA_DIR and API_PORT."
        ) from error
    os.set_inheritable(descriptor, True)  # supervisord, which this process becomes, keeps it
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    shutil.rmtree(layout.run, ignore_errors=True)
    layout.run.mkdir()
    layout.logs.mkdir(exist_ok=True)


def _check_port(settings: Settings) -> None:
    """Raise StationError if the API can't listen where it should."""
    try:
        ((family, kind, protocol, _, address), *_) = socket.getaddrinfo(
            settings.api_host, settings.api_port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise StationError(
            f"API_HOST {settings.api_host}, API_PORT {settings.api_port}: can't listen there"
            f" ({error.strerror}). Another port: API_PORT={settings.api_port + 1} script/server"
        ) from error


def _allow_open_files() -> None:
    """Raise the limit of open files, which every connected agent counts against, if we may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    main()
