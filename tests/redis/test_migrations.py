"""The version of the data: claim_layout.lua, reach_version.lua, and the steps between versions."""

import threading
from collections.abc import Iterator

import pytest

from broker.kernel.errors import DataVersionError
from broker.storage.connection import Redis, connect
from broker.storage.keys import Keys
from broker.storage.migrations import BASE_VERSION, Migration, migrate
from tests.redis.conftest import MakeStage
from tests.redis.racing import race


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    made = Redis(connect(redis_url))
    yield made
    made.client.close()


@pytest.fixture
def keys(namespace: str) -> Keys:
    return Keys(namespace, 4)


def version_of(redis: Redis, keys: Keys) -> int:
    return int(redis.command("HGET", keys.station(), "version"))


def noting(applied: list[int], *versions: int) -> list[Migration]:
    return [
        Migration(version=v, summary="", apply=lambda _redis, _keys, v=v: applied.append(v))  # type: ignore[misc]
        for v in versions
    ]


def test_an_empty_redis_gets_the_newest_version_without_any_step(redis: Redis, keys: Keys) -> None:
    applied: list[int] = []

    assert migrate(redis, keys, noting(applied, 2, 3)) == 3

    assert applied == []
    assert version_of(redis, keys) == 3


def test_older_data_is_brought_up_step_by_step_and_once(redis: Redis, keys: Keys) -> None:
    migrate(redis, keys, [])
    assert version_of(redis, keys) == BASE_VERSION
    applied: list[int] = []

    migrate(redis, keys, noting(applied, 2, 3))
    migrate(redis, keys, noting(applied, 2, 3))

    assert applied == [2, 3]
    assert version_of(redis, keys) == 3


def test_newer_data_is_refused_and_left_alone(redis: Redis, keys: Keys) -> None:
    migrate(redis, keys, noting([], 2, 3))
    before = redis.command("HGETALL", keys.station())
    applied: list[int] = []

    with pytest.raises(DataVersionError, match="version 3; this program knows versions up to 2"):
        migrate(redis, keys, noting(applied, 2))

    assert applied == []
    assert redis.command("HGETALL", keys.station()) == before


def test_data_laid_out_for_other_partitions_is_refused_and_left_alone(
    redis: Redis, keys: Keys, namespace: str
) -> None:
    migrate(redis, keys)
    before = redis.command("HGETALL", keys.station())

    with pytest.raises(DataVersionError, match="WAYSTATION_PARTITIONS=4"):
        migrate(redis, Keys(namespace, 8))

    assert redis.command("HGETALL", keys.station()) == before


def test_a_step_that_failed_is_repeated_and_those_before_it_are_not(
    redis: Redis, keys: Keys
) -> None:
    migrate(redis, keys, [])
    applied: list[int] = []

    def fail(_redis: Redis, _keys: Keys) -> None:
        raise InterruptedError

    broken = [*noting(applied, 2), Migration(version=3, summary="", apply=fail)]
    with pytest.raises(InterruptedError):
        migrate(redis, keys, broken)
    assert version_of(redis, keys) == 2

    migrate(redis, keys, noting(applied, 2, 3))

    assert applied == [2, 3]


def test_a_slower_process_does_not_take_the_version_back(redis: Redis, keys: Keys) -> None:
    migrate(redis, keys, [])
    overtaken = threading.Event()

    def slowly(_redis: Redis, _keys: Keys) -> None:
        migrate(redis, keys, noting([], 2, 3))
        overtaken.set()

    migrate(redis, keys, [Migration(version=2, summary="", apply=slowly)])

    assert overtaken.is_set()
    assert version_of(redis, keys) == 3


def test_many_processes_may_start_at_once(make_stage: MakeStage, redis_url: str) -> None:
    stage = make_stage()
    redises = [Redis(connect(redis_url)) for _ in range(8)]
    fresh = Keys(f"{stage.settings.namespace}-fresh", 4)

    results = race(*(lambda r=one: migrate(r, fresh) for one in redises))

    assert results == [BASE_VERSION] * 8
    for one in redises:
        one.client.close()
