"""What waiting messages cost: memory for each, and time as they become many."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from bench.figures import Figure, Unit
from bench.pace import Pace
from bench.processes import BenchError, Station
from bench.statistics import median_of_ratios, spread
from broker.kernel.errors import BrokerError
from broker.kernel.ids import AgentId
from broker.messaging.delivery import Acknowledgement, Wanted
from broker.messaging.message import Draft
from broker.wiring import Broker

_BATCH: Final = 100
_BODY_BYTES: Final = 100
_INBOXES: Final = 8
_SHALLOW: Final = 1_000
_SENDERS: Final = 16


def memory(station: Station, pace: Pace) -> list[Figure]:
    """What Redis needs for a message that waits in an inbox, beside its body."""
    broker = station.broker("bench_memory")
    agents = [_registered(broker, f"agent{number}") for number in range(_INBOXES)]
    before = _used_memory(broker)
    for start in range(0, pace.stored, _BATCH):
        _send(broker, start // _BATCH, agents)
    broker.router.drain()
    each = (_used_memory(broker) - before) / pace.stored - _BODY_BYTES
    return [
        Figure(
            name="memory_per_message",
            what="waiting message, beside its body",
            value=each,
            unit=Unit.BYTES,
            beside=f"{pace.stored:,} of {_BODY_BYTES} B in {_INBOXES} inboxes",
        )
    ]


def depth(station: Station, pace: Pace) -> list[Figure]:
    """Send, route, lease and acknowledge a hundred: before a deep inbox and a shallow, in turn."""
    shallow = _one_inbox(station, "bench_shallow", _SHALLOW)
    deep = _one_inbox(station, "bench_deep", pace.deep)
    in_shallow, in_deep = [], []
    for number in range(pace.depth_rounds):
        in_shallow.append(_timed(shallow, number))
        in_deep.append(_timed(deep, number))
    per_message = spread([seconds * 1000 for seconds in in_deep])
    return [
        Figure(
            name="depth",
            what=f"cost at {pace.deep:,} waiting, of that at {_SHALLOW:,}",
            value=median_of_ratios(in_deep, in_shallow),
            unit=Unit.SHARE,
            p50_ms=per_message.p50,
            p99_ms=per_message.p99,
            beside="p50, p99: 100 through, in the deep one",
        )
    ]


def _one_inbox(station: Station, namespace: str, waiting: int) -> Callable[[int], None]:
    """Fill an inbox; what sends a hundred through it."""
    broker = station.broker(namespace)
    agent = _registered(broker, "agent")
    for start in range(0, waiting, _BATCH):
        _send(broker, start // _BATCH, [agent])
        if start % 5_000 == 0:
            broker.router.drain()
    broker.router.drain()

    def pass_through(number: int) -> None:
        _send(broker, number, [agent])
        broker.router.drain()
        leased = broker.inboxes.lease(agent, Wanted(limit=_BATCH))
        done = [
            Acknowledgement(message_id=one.message.id, token=one.lease.token)
            for one in leased
            if one.lease is not None
        ]
        if len(done) != _BATCH or any(broker.inboxes.acknowledge_many(agent, done)):
            raise BenchError(f"{len(done)} of {_BATCH} messages could be acknowledged")

    pass_through(0)
    return pass_through


def _timed(pass_through: Callable[[int], None], number: int) -> float:
    started = time.perf_counter()
    pass_through(number)
    return time.perf_counter() - started


def _registered(broker: Broker, name: str) -> AgentId:
    agent = AgentId(name)
    broker.agents.register(agent, changes={})
    return agent


def _send(broker: Broker, number: int, agents: list[AgentId]) -> None:
    sender = AgentId(f"sender{number % _SENDERS}")
    body = "x" * _BODY_BYTES
    results = broker.queue.send_many(
        [
            Draft(sender=sender, to=(agents[index % len(agents)],), body=body)
            for index in range(_BATCH)
        ]
    )
    for one in results:
        if isinstance(one, BrokerError):
            raise one


def _used_memory(broker: Broker) -> int:
    return int(broker.redis.client.info("memory")["used_memory"])
