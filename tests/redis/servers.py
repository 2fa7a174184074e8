"""Real Redis servers for tests: the embedded one, the system's, or a cluster of three nodes."""

import dataclasses
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import redis

from config.lifeline import die_with_parent
from station.redis_server import find_server
from tests.waiting import until

START_SECONDS = 20
NODES = 3
SLOTS = 16_384

# A cluster's nodes also listen on their port + 10,000; both stay below outgoing connections.
_PORTS = range(11_000, 21_000)
_CLUSTER_BUS = 10_000

CHOICES = ("embedded", "system", "cluster")


@dataclasses.dataclass(kw_only=True)
class Server:
    """One server process with its directory; it may be killed and started again."""

    binary: Path
    directory: Path
    port: int
    password: str
    options: dict[str, str]
    is_sentinel: bool = False
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start it, and wait until it has loaded its data."""
        command: list[Path | str] = [self.binary, "-"]
        if self.is_sentinel:
            # It writes what it learns into its file.
            file = self.directory / "sentinel.conf"
            file.write_text(self._configuration())
            command = [self.binary, file, "--sentinel"]
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                preexec_fn=partial(die_with_parent, parent_pid=os.getpid()),  # noqa: PLW1509 - the hook is tiny
            )
        assert self.process.stdin is not None
        if not self.is_sentinel:
            self.process.stdin.write(self._configuration().encode())
        self.process.stdin.close()
        until(self._answers, within=START_SECONDS, what=f"a Redis server in {self.directory}")

    def stop(self) -> None:
        """End it in peace; its files stay."""
        self._end("terminate")

    def kill(self) -> None:
        """End it as kill -9 does."""
        self._end("kill")

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)

    def _end(self, how: str) -> None:
        if self.process is not None:
            getattr(self.process, how)()
            self.process.wait(START_SECONDS)
            self.process = None

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError((self.directory / "server.log").read_text()[-2000:])
        try:
            with self.client() as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
            return False

    def _configuration(self) -> str:
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": f'"{self.directory}"',
            "requirepass": self.password,
        }
        if not self.is_sentinel:
            options |= {
                "masterauth": self.password,
                "save": '""',
                "maxmemory-policy": "noeviction",
                "repl-diskless-sync-delay": "0",
            }
        options |= self.options
        return "".join(f"{name} {value}\n" for name, value in options.items())


def system_server() -> Path:
    """Return the system's own server. Raises where there is none: nothing is skipped."""
    found = shutil.which("redis-server")
    if found is None:
        raise AssertionError("--redis=system needs redis-server on PATH (apt install redis-server)")
    return Path(found)


def binary_for(choice: str) -> Path:
    """Return the server of a `--redis` choice; a cluster is made of embedded ones."""
    return system_server() if choice == "system" else find_server()


def new_server(binary: Path, *, password: str | None = None, **options: str) -> Server:
    """Return a server that has yet to be started, in a directory of its own."""
    return Server(
        binary=binary,
        directory=Path(tempfile.mkdtemp(prefix="waystation-redis-")),
        port=_free_port(),
        password=password or secrets.token_hex(8),
        options={name.replace("_", "-"): value for name, value in options.items()},
    )


@contextmanager
def running(binary: Path, *, password: str | None = None, **options: str) -> Iterator[Server]:
    """Give a running server, and leave nothing of it."""
    server = new_server(binary, password=password, **options)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        shutil.rmtree(server.directory, ignore_errors=True)


@contextmanager
def running_cluster(binary: Path, *, replicas: bool = False) -> Iterator[list[Server]]:
    """Give the nodes of a cluster that serves all slots, and after them a replica of each."""
    nodes = [
        new_server(binary, cluster_enabled="yes", cluster_node_timeout="1000")
        for _ in range(2 * NODES if replicas else NODES)
    ]
    for node in nodes:
        node.password = nodes[0].password
    try:
        for node in nodes:
            node.start()
        _form_cluster(nodes)
        yield nodes
    finally:
        for node in nodes:
            node.kill()
            shutil.rmtree(node.directory, ignore_errors=True)


def cluster_url(nodes: list[Server]) -> str:
    """Return the address of a cluster, by its first node."""
    return f"redis+cluster://:{nodes[0].password}@127.0.0.1:{nodes[0].port}"


def _form_cluster(nodes: list[Server]) -> None:
    share = SLOTS // NODES
    for number, node in enumerate(nodes):
        with node.client() as client:
            client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
            if number < NODES:
                last = SLOTS - 1 if number == NODES - 1 else (number + 1) * share - 1
                client.execute_command("CLUSTER ADDSLOTSRANGE", number * share, last)
            if number:
                client.execute_command("CLUSTER MEET", "127.0.0.1", nodes[0].port)

    def is_formed() -> bool:
        return all(_knows_all(node, len(nodes)) for node in nodes)

    until(is_formed, within=START_SECONDS, what="a cluster that serves all slots")
    for master, replica in zip(nodes, nodes[NODES:], strict=False):
        with master.client() as client:
            name = client.execute_command("CLUSTER MYID").decode()
        with replica.client() as client:
            client.execute_command("CLUSTER REPLICATE", name)
        until(partial(is_in_step, replica), within=START_SECONDS, what="a replica in step")


def is_in_step(replica: Server) -> bool:
    """Whether it has all that its master has."""
    with replica.client() as client:
        return bool(client.info("replication").get("master_link_status") == "up")


@contextmanager
def running_sentinel(master: Server, *, password: str) -> Iterator[Server]:
    """Give a Sentinel that watches a master under the name `waystation`, and decides alone."""
    sentinel = new_server(master.binary, password=password)
    sentinel.options = {
        "sentinel monitor": f"waystation 127.0.0.1 {master.port} 1",
        "sentinel auth-pass": f"waystation {master.password}",
        "sentinel down-after-milliseconds": "waystation 500",
        "sentinel failover-timeout": "waystation 5000",
    }
    sentinel.is_sentinel = True
    try:
        sentinel.start()
        yield sentinel
    finally:
        sentinel.kill()
        shutil.rmtree(sentinel.directory, ignore_errors=True)


def _knows_all(node: Server, count: int) -> bool:
    with node.client() as client:
        info = client.execute_command("CLUSTER INFO")
    text = info if isinstance(info, dict) else {}
    return text.get("cluster_state") == "ok" and text.get("cluster_known_nodes") == str(count)


def _free_port() -> int:
    while True:
        port = secrets.choice(_PORTS)
        if _is_free(port) and _is_free(port + _CLUSTER_BUS):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
