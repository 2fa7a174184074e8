import pytest

from broker.operations.processes import Role
from broker.operations.readiness import POOLS, NotReadyError, PartState
from broker.wiring import Broker, build_broker
from tests.conftest import MakeSettings

pytestmark = pytest.mark.redis


def missing(broker: Broker) -> dict[str, PartState]:
    parts = broker.readiness.parts()
    return {part.name: part.state for part in parts if part.state is not PartState.OK}


def beat(broker: Broker, *roles: Role) -> None:
    for role in roles:
        broker.processes.beat(broker.processes.heartbeat(role).process)


def test_a_station_with_all_its_parts_is_ready(broker: Broker) -> None:
    beat(broker, *POOLS)

    assert missing(broker) == {}
    assert broker.readiness.check() == broker.readiness.parts()


def test_every_pool_without_a_process_is_named(broker: Broker) -> None:
    beat(broker, Role.ROUTING, Role.DELIVERY, Role.EXECUTION)

    assert missing(broker) == {"retry": PartState.MISSING, "scheduler": PartState.MISSING}
    with pytest.raises(NotReadyError, match=r"retry, scheduler") as refused:
        broker.readiness.check()
    assert all(problem.message for problem in refused.value.problems)


def test_without_redis_nothing_else_can_be_told(settings: MakeSettings) -> None:
    broker = build_broker(settings(redis_url="redis://127.0.0.1:1/0"))

    found = missing(broker)

    assert found.pop("redis") is PartState.MISSING
    assert found == dict.fromkeys(("data", *POOLS), PartState.UNKNOWN)


def test_data_of_a_newer_version_is_named(broker: Broker) -> None:
    beat(broker, *POOLS)
    broker.redis.command("HSET", broker.keys.station(), "version", 99)

    parts = {part.name: part for part in broker.readiness.parts()}

    assert parts["data"].state is PartState.MISSING
    assert "99" in (parts["data"].detail or "")
