"""Many callers of one process, and the connections that they share."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from broker.wiring import Broker

pytestmark = pytest.mark.redis


def test_more_callers_than_connections_wait_for_their_turn(broker: Broker) -> None:
    nothing = f"{{{broker.keys.namespace}}}:nothing"

    def occupy_a_connection() -> object:
        return broker.redis.command("BLPOP", nothing, 0.2)

    with ThreadPoolExecutor(200) as pool:
        answers = [pool.submit(occupy_a_connection) for _ in range(200)]

    assert [answer.result() for answer in answers] == [None] * 200
