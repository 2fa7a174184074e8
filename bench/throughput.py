"""How many messages pass: single POSTs, batches, and both from end to end."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final

import msgspec

from bench.crowd import Crowd
from bench.figures import Figure, Unit
from bench.load import Load, Measured
from bench.pace import Pace
from bench.processes import Station, crowd, raw_scripts, under_load, wait_until
from bench.raw_scripts import RawScripts
from bench.statistics import median_of_ratios
from broker.kernel.ids import AgentId, Partition
from broker.wiring import Broker

_CONNECTIONS: Final = 16
_BATCH_CONNECTIONS: Final = 8
_BATCH: Final = 100
_BODY_BYTES: Final = 100
_INBOXES: Final = 8
_MOST_ON_THE_WAY: Final = 4_000
_ROUTED_SECONDS: Final = 60.0


def single_posts(station: Station, broker: Broker, pace: Pace) -> list[Figure]:
    """Echo, POST, and POST with its recipients at work, in turn: A B C A B C."""
    echoes, posts, ways = [], [], []
    stored_for = _register(broker, "stored")
    read_by = _register(broker, "read")
    for _ in range(pace.pairs):
        echoes.append(
            under_load(
                Load(
                    port=station.echo_port,
                    seconds=pace.seconds,
                    senders=_CONNECTIONS,
                    echo_path="/echo",
                    body_bytes=_BODY_BYTES,
                )
            )
        )
        posts.append(
            under_load(
                Load(
                    port=station.port,
                    seconds=pace.seconds,
                    senders=_CONNECTIONS,
                    recipients=stored_for,
                    body_bytes=_BODY_BYTES,
                )
            )
        )
        _wait_until_routed(broker)
        ways.append(
            under_load(
                Load(
                    port=station.port,
                    seconds=pace.seconds,
                    senders=_CONNECTIONS,
                    recipients=read_by,
                    body_bytes=_BODY_BYTES,
                    fetches=True,
                    most_on_the_way=_MOST_ON_THE_WAY,
                )
            )
        )
        _wait_until_routed(broker)
    echo, post, way = _sent(echoes), _sent(posts), _acknowledged(ways)
    return [
        _rate("echo", "bare Flask POST echo", echoes, echo),
        _rate("single_post_rate", "single POST, durable", posts, post),
        Figure(
            name="single_post",
            what="  of the echo's rate",
            value=median_of_ratios(post, echo),
            unit=Unit.SHARE,
            beside=f"median of {pace.pairs} pairs",
        ),
        Figure(
            name="end_to_end_single_rate",
            what="single POSTs to acknowledged",
            value=statistics.median(way),
            unit=Unit.RATE,
            p50_ms=_median([one.way_p50_ms for one in ways]),
            p99_ms=_median([one.way_p99_ms for one in ways]),
            beside="p50, p99: request to fetched" + _refused(ways),
        ),
        Figure(
            name="end_to_end_single",
            what="  of the single POST's rate",
            value=median_of_ratios(way, post),
            unit=Unit.SHARE,
            beside=f"median of {pace.pairs} pairs",
        ),
    ]


def batches(station: Station, broker: Broker, pace: Pace) -> list[Figure]:
    """Raw scripts and batches of 100 in turn: A B A B."""
    raws, posts = [], []
    stored_for = _register(broker, "batched")
    for number in range(pace.pairs):
        raws.append(
            raw_scripts(
                RawScripts(
                    redis_url=station.redis_url,
                    namespace=f"raw{number}",
                    seconds=pace.seconds,
                    batch=_BATCH,
                    body_bytes=_BODY_BYTES,
                )
            )
        )
        posts.append(
            under_load(
                Load(
                    port=station.port,
                    seconds=pace.seconds,
                    senders=_BATCH_CONNECTIONS,
                    recipients=stored_for,
                    body_bytes=_BODY_BYTES,
                    batch=_BATCH,
                )
            )
        )
        _wait_until_routed(broker)
    raw, post = _sent(raws), _sent(posts)
    return [
        _rate("raw_scripts", "raw script calls, 100 a trip", raws, raw),
        _rate("batch_post_rate", "batch of 100, durable", posts, post),
        Figure(
            name="batch_post",
            what="  of the raw calls' rate",
            value=median_of_ratios(post, raw),
            unit=Unit.SHARE,
            beside=f"median of {pace.pairs} pairs",
        ),
    ]


def end_to_end(station: Station, broker: Broker, pace: Pace) -> list[Figure]:
    """Send, route, fetch and acknowledge by the hundred, all at once."""
    done = under_load(
        Load(
            port=station.port,
            seconds=pace.end_to_end_seconds,
            senders=_BATCH_CONNECTIONS,
            recipients=_register(broker, "swift"),
            body_bytes=_BODY_BYTES,
            batch=_BATCH,
            fetches=True,
            most_on_the_way=_MOST_ON_THE_WAY,
        )
    )
    _wait_until_routed(broker)
    return [
        Figure(
            name="end_to_end_batches",
            what="batches to acknowledged",
            value=done.acknowledged_per_second,
            unit=Unit.RATE,
            p50_ms=done.way_p50_ms,
            p99_ms=done.way_p99_ms,
            beside="p50, p99: request to fetched" + _refused([done]),
        )
    ]


def half_load(station: Station, broker: Broker, pace: Pace) -> list[Figure]:
    """Half the single POSTs that the station takes, to many agents on WebSockets."""
    load = Load(
        port=station.port,
        seconds=pace.seconds,
        senders=_CONNECTIONS,
        recipients=_register(broker, "busy"),
        body_bytes=_BODY_BYTES,
    )
    rate = under_load(load).sent_per_second / 2
    _wait_until_routed(broker)
    agents = _register(broker, "connected", pace.agents)
    with crowd(Crowd(port=station.port, agents=agents)) as received:
        sent = under_load(
            msgspec.structs.replace(
                load, seconds=pace.end_to_end_seconds, recipients=agents, per_second=rate
            )
        )
        _wait_until_routed(broker)
    found = received[0]
    return [
        Figure(
            name="crowd_p99",
            what=f"half load, {len(agents):,} agents on WebSockets, p99",
            value=found.way_p99_ms,
            unit=Unit.MILLISECONDS,
            p50_ms=found.way_p50_ms,
            p99_ms=found.way_p99_ms,
            beside=f"{found.messages:,} at {sent.sent_per_second:,.0f}/s" + _refused([sent]),
        )
    ]


def _register(broker: Broker, name: str, count: int = _INBOXES) -> tuple[str, ...]:
    agents = tuple(f"{name}{number}" for number in range(count))
    for agent in agents:
        broker.agents.register(AgentId(agent), changes={})
    return agents


def _wait_until_routed(broker: Broker) -> None:
    """What one run left unrouted is not the next one's work."""
    ingress = [
        ("ZCARD", broker.keys.ingress(number))
        for number in map(Partition, broker.keys.all_partitions())
    ]
    wait_until(
        lambda: not any(broker.redis.commands(ingress)),
        "everything is routed",
        within=_ROUTED_SECONDS,
    )


def _rate(name: str, what: str, runs: Sequence[Measured], rates: Sequence[float]) -> Figure:
    return Figure(
        name=name,
        what=what,
        value=statistics.median(rates),
        unit=Unit.RATE,
        p50_ms=_median([run.answered_p50_ms for run in runs]),
        p99_ms=_median([run.answered_p99_ms for run in runs]),
        beside="p50, p99: one call" + _refused(runs),
    )


def _refused(runs: Sequence[Measured]) -> str:
    """A remark on messages that were refused; they are in no rate."""
    refused = sum(run.refused for run in runs)
    return f"; {refused} refused" if refused else ""


def _sent(runs: Sequence[Measured]) -> list[float]:
    return [run.sent_per_second for run in runs]


def _acknowledged(runs: Sequence[Measured]) -> list[float]:
    return [run.acknowledged_per_second for run in runs]


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)
