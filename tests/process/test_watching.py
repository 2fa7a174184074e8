"""Watchers outlive what dies: Redis, and the web process that serves them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from broker.kernel.errors import StorageUnavailableError
from station.redis_server import find_server
from tests.contract.watcher import Watcher
from tests.contract.websocket_server import Server, register, serving
from tests.redis.servers import Server as RedisServer
from tests.redis.servers import running as running_redis
from tests.waiting import until

pytestmark = pytest.mark.process

WITHIN = 30


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with running_redis(find_server(), appendonly="yes", appendfsync="always") as server:
        yield server


@pytest.fixture
def web(redis: RedisServer, tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, redis.url, redis.url) as server:
        register(server, "bob")
        yield server


def told(watcher: Watcher) -> list[str]:
    """The messages that the next event is about."""
    return [item["message_id"] for item in watcher.next()["items"]]


def test_a_watcher_is_told_on_when_redis_was_killed(web: Server, redis: RedisServer) -> None:
    watcher = Watcher(web.port, "?events=message.accepted").begun()
    before = web.send("bob", "before")
    assert told(watcher) == before

    redis.kill()
    redis.start()
    until(lambda: _is_back(web), within=WITHIN, what="Redis is back")
    after = web.send("bob", "after")

    assert told(watcher) == after


def test_a_watcher_goes_on_at_another_web_process(
    web: Server, redis: RedisServer, tmp_path: Path
) -> None:
    watcher = Watcher(web.port, "?events=message.accepted").begun()
    before = web.send("bob", "before")
    assert told(watcher) == before

    web.kill()
    assert watcher.ended() == []
    meanwhile = web.send("bob", "one", "two", "three")
    with serving(tmp_path / "other", redis.url, redis.url) as other:
        again = Watcher(
            other.port, "?events=message.accepted", last_event_id=watcher.last_event_id
        ).begun()
        after = other.send("bob", "after")

        assert told(again) == meanwhile
        assert told(again) == after


def _is_back(web: Server) -> bool:
    try:
        return bool(web.broker.redis.command("PING"))
    except StorageUnavailableError:
        return False
