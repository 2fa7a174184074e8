"""Connections to Redis: one server, Sentinel or Cluster by URL, and the errors of all three.

| URL | meaning |
|---|---|
| `redis://`, `rediss://`, `unix://` | one server |
| `redis+cluster://host:port` | Redis Cluster, found from any of its nodes |
| `redis+sentinel://host:port,host:port/<master name>` | the master that the Sentinels name |

User and password are those of the servers with the data, `?sentinel_password=` the Sentinels' own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit, urlunsplit

import redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import (
    ClusterDownError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)
from redis.retry import Retry
from redis.sentinel import Sentinel

from broker.kernel.errors import StorageFullError, StorageUnavailableError
from broker.storage.group_commit import GroupCommit
from broker.storage.scripts import Argument, Call, Outcome

Client = redis.Redis
Command = tuple[Argument, ...]
Reply = Any
"""What Redis answers: its type is the command's."""

_RETRY_AFTER_SECONDS: Final = 1.0
_CONNECT_TIMEOUT_SECONDS: Final = 2.0
_REPLY_TIMEOUT_SECONDS: Final = 10.0
_SENTINEL_PORT: Final = 26_379
# Of one process. A web process serves thousands at a time; redis-py refuses more than a hundred
# connections where one should only wait for its turn.
_AT_ONCE: Final = 64

# Answers of a server that is there but can't serve now: failing over, a replica, a slow script.
_PASSING: Final = (ReadOnlyError, MasterDownError, ClusterDownError, TryAgainError)
_PASSING_CODES: Final = ("BUSY", "MISCONF", "NOREPLICAS")


def connect(url: str, *, blocking: bool = False) -> Client:
    """A client for `url`. `blocking` is for subscribers: their reads have no time limit.

    Nothing is sent twice by itself: a call whose reply was lost may have been carried out, and
    only the caller knows whether it may be repeated.
    """
    options: dict[str, Any] = {
        "protocol": 2,
        "socket_connect_timeout": _CONNECT_TIMEOUT_SECONDS,
        "socket_timeout": None if blocking else _REPLY_TIMEOUT_SECONDS,
        "socket_keepalive": True,
    }
    parts = urlsplit(url)
    if parts.scheme == "redis+cluster":
        node = urlunsplit(parts._replace(scheme="redis"))
        cluster: Any = RedisCluster.from_url(node, retry=Retry(NoBackoff(), 0), **options)
        return cluster  # type: ignore[no-any-return] # offers the same commands
    options["retry"] = Retry(NoBackoff(), 0)
    if parts.scheme == "redis+sentinel":
        return _named_by_sentinels(parts, options)
    return redis.Redis.from_url(url, **options)


def _named_by_sentinels(parts: SplitResult, options: dict[str, Any]) -> Client:
    asked = dict(options)
    asked["socket_timeout"] = _CONNECT_TIMEOUT_SECONDS
    for password in parse_qs(parts.query).get("sentinel_password", []):
        asked["password"] = password
    hosts = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        [(host.hostname or "127.0.0.1", host.port or _SENTINEL_PORT) for host in hosts],
        sentinel_kwargs=asked,
    )
    name = parts.path.strip("/") or "mymaster"
    if parts.username:
        options["username"] = unquote(parts.username)
    if parts.password:
        options["password"] = unquote(parts.password)
    master: Client = sentinel.master_for(name, **options)  # type: ignore[no-untyped-call]
    return master


@contextmanager
def translated() -> Iterator[None]:
    """Turns what redis-py raises into the broker's own errors."""
    try:
        yield
    except (RedisConnectionError, RedisTimeoutError, RedisClusterException) as error:
        raise StorageUnavailableError(
            "Redis cannot be reached. Nothing was half done; send the same again.",
            retry_after_seconds=_RETRY_AFTER_SECONDS,
        ) from error
    except OutOfMemoryError as error:
        raise StorageFullError(
            "Redis is out of memory. Nothing was half done; try again when there is room.",
            retry_after_seconds=_RETRY_AFTER_SECONDS,
        ) from error
    except ResponseError as error:
        if isinstance(error, _PASSING) or str(error).startswith(_PASSING_CODES):
            raise StorageUnavailableError(
                "Redis is not ready. Nothing was half done; send the same again.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            ) from error
        raise


def subscriber(url: str) -> Callable[[list[str]], Iterator[str | None]]:
    """What listens on channels of `url`, with a connection of its own.

    It yields None when the subscription stands, then each message. It ends with
    `StorageUnavailableError` when the connection is lost; call it again.
    """

    def subscribe(channels: list[str]) -> Iterator[str | None]:
        with translated():
            client = connect(url, blocking=True)
            pubsub = client.pubsub()  # type: ignore[no-untyped-call]
            try:
                pubsub.subscribe(*channels)
                for event in pubsub.listen():
                    if event["type"] == "message":
                        yield event["data"].decode()
                    elif event["data"] == len(channels):
                        yield None
            finally:
                pubsub.close()
                client.close()

    return subscribe


class Redis:
    """What the stores use: scripts and plain commands, alone or many in one trip.

    A server that does not know a script (restarted, failed over) answers NOSCRIPT without having
    done anything; the call is then repeated with the script's text.
    """

    def __init__(self, client: Client | Callable[[], Client]) -> None:
        """`client` may be what makes it: a cluster's client connects when it is made."""
        self._connect = client if callable(client) else lambda: client
        self._shared = GroupCommit(self._carry_out)
        self._turn = threading.BoundedSemaphore(_AT_ONCE)

    @cached_property
    def client(self) -> Client:
        """The client, made when it is first needed."""
        return self._connect()

    def call(self, call: Call) -> Outcome:
        """Carry out one transition."""
        return self.call_many([call])[0]

    def call_many(self, calls: Sequence[Call]) -> list[Outcome]:
        """Carry out several transitions in one trip, in this order; each is atomic by itself.

        Calls of other threads may share the trip.
        """
        if not calls:
            return []
        replies = self._shared.send(calls)
        with translated():
            return [
                call.script.outcome(_raised(reply))
                for call, reply in zip(calls, replies, strict=True)
            ]

    def _carry_out(self, calls: Sequence[Call]) -> list[Reply]:
        """The reply to each call, or the exception that is its reply."""
        replies = self._trip([call.evalsha() for call in calls])
        unknown = [index for index, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        if unknown:
            again = self._trip([calls[index].eval() for index in unknown])
            for index, reply in zip(unknown, again, strict=True):
                replies[index] = reply
        return replies

    def command(self, *command: Argument) -> Reply:
        """One plain command."""
        with self._turn, translated():
            return self.client.execute_command(*command)  # type: ignore[no-untyped-call]

    def commands(self, commands: Sequence[Command]) -> list[Any]:
        """Several plain commands in one trip."""
        if not commands:
            return []
        replies = self._trip(commands)
        with translated():
            return [_raised(reply) for reply in replies]

    def info(self) -> dict[str, dict[str, Any]]:
        """What each server says of itself (INFO), by its name; one unless it is a Cluster."""
        with translated():
            if isinstance(self.client, RedisCluster):
                answers: dict[str, dict[str, Any]] = self.client.execute_command(
                    "INFO", target_nodes=RedisCluster.PRIMARIES
                )
                return answers
            return {"redis": self.client.execute_command("INFO")}  # type: ignore[no-untyped-call]

    def _trip(self, commands: Sequence[Command]) -> list[Reply]:
        if len(commands) == 1:
            return [self._alone(commands[0])]
        with self._turn, translated(), self.client.pipeline(transaction=False) as pipeline:
            for command in commands:
                pipeline.execute_command(*command)  # type: ignore[no-untyped-call]
            return pipeline.execute(raise_on_error=False)

    def _alone(self, command: Command) -> Reply:
        """A trip of one, which costs half of what a pipeline does."""
        with self._turn, translated():
            try:
                return self.client.execute_command(*command)  # type: ignore[no-untyped-call]
            except ResponseError as error:
                return error


def _raised(reply: Reply) -> Reply:
    if isinstance(reply, Exception):
        raise reply
    return reply
