import pytest

from broker.kernel.clock import system_clock
from broker.kernel.ids import AgentId
from broker.messaging.delivery import Wanted
from broker.messaging.message import Draft
from broker.wiring import Broker

pytestmark = pytest.mark.redis

USER = AgentId("user")


def test_the_user_is_never_reaped_and_keeps_its_leases(broker: Broker) -> None:
    broker.queue.send(Draft(sender=AgentId("alice"), to=(USER,), body="x"))
    broker.router.drain()
    (delivered,) = broker.inboxes.lease(USER, Wanted(limit=1))
    heartbeats = broker.keys.heartbeats(broker.keys.partition_for(USER))
    broker.redis.command("ZADD", heartbeats, system_clock() - 3_600_000, USER)

    reaped = broker.agents.reap()

    assert reaped == []
    assert delivered.lease
    broker.inboxes.acknowledge(USER, delivered.message.id, delivered.lease.token)
