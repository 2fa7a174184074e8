"""Fixtures of the tests on a real Redis."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from broker.kernel.clock import system_clock
from broker.wiring import build_broker
from tests.conftest import MakeBroker, MakeSettings
from tests.receivers import Receiver, receiving
from tests.redis.pool import Pool
from tests.redis.recurring_scene import Calendar, Scene
from tests.redis.stage import Stage

MakeStage = Callable[..., Stage]


@pytest.fixture
def make_stage(make_broker: MakeBroker, settings: MakeSettings) -> MakeStage:
    """Set stages with other settings; alice and bob are registered."""

    def make(**replaced: Any) -> Stage:
        stage = Stage(broker=make_broker(**replaced), settings=settings(**replaced))
        stage.register("alice", "bob")
        return stage

    return make


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    """A stage with alice and bob registered."""
    return make_stage()


@pytest.fixture
def pool(stage: Stage) -> Pool:
    """A stage with three agents to whom every message is offered."""
    stage.register("carol", "dora")
    return Pool(stage=stage)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def make_pushing(make_stage: MakeStage) -> Iterator[MakeStage]:
    """Stages that may post to loopback; their pushes are ended."""
    with ExitStack() as stack:

        def make(*, allow_private: bool = True, **replaced: Any) -> Stage:
            stage = make_stage(webhook_allow_private=allow_private, **replaced)
            stack.callback(stage.broker.pusher.stop, 10)
            return stage

        yield make


@pytest.fixture
def carol(stage: Stage) -> None:
    """A third agent beside alice and bob."""
    stage.register("carol")


@pytest.fixture
def scene(settings: MakeSettings) -> Iterator[Scene]:
    """A stage on which time passes only when a test says so."""
    calendar = Calendar(now=system_clock())
    broker = build_broker(settings(), clock=calendar)
    broker.prepare()
    scene = Scene(broker=broker, settings=settings(), calendar=calendar)
    scene.register("alice", "bob")
    yield scene
    broker.redis.client.close()
    broker.jobs.client.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/redis/" in item.nodeid:
            item.add_marker("redis")
