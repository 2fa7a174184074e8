"""One run of load in a process of its own: `python -m bench.load`, JSON on stdin and stdout."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import msgspec

from bench.connections import Role, drive
from bench.roles import Consumer, Echoed, Sender, Tally, for_seconds
from bench.statistics import Spread, spread

# A run's first part warms up connections, inboxes and workers; it is not counted.
_WARM_UP = 0.2


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What to do: send to `recipients` (or echo), and fetch from those inboxes if asked to.

    `per_second` is the most requests of all senders; without it they send as fast as they can.
    """

    port: int
    seconds: float
    senders: int
    recipients: tuple[str, ...] = ()
    body_bytes: int = 100
    batch: int | None = None
    echo_path: str | None = None
    fetches: bool = False
    fetch_limit: int = 100
    most_on_the_way: int | None = None
    per_second: float | None = None


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it, per second and in ms; the way is from the request to the recipient."""

    sent_per_second: float
    acknowledged_per_second: float
    refused: int
    answered_p50_ms: float
    answered_p99_ms: float
    way_p50_ms: float = 0
    way_p99_ms: float = 0


def run(load: Load) -> Measured:
    """Drive the load and count what came after the warm-up."""
    tally = Tally()
    roles = _roles(load, tally)
    drive(load.port, roles, for_seconds(load.seconds * _WARM_UP))
    before = (tally.sent, tally.acknowledged)
    tally.answer_seconds.clear()
    tally.way_seconds.clear()
    seconds = drive(load.port, roles, for_seconds(load.seconds))
    answered, way = _spread_ms(tally.answer_seconds), _spread_ms(tally.way_seconds)
    return Measured(
        sent_per_second=(tally.sent - before[0]) / seconds,
        acknowledged_per_second=(tally.acknowledged - before[1]) / seconds,
        refused=tally.refused,
        answered_p50_ms=answered.p50,
        answered_p99_ms=answered.p99,
        way_p50_ms=way.p50,
        way_p99_ms=way.p99,
    )


def _roles(load: Load, tally: Tally) -> Sequence[Role]:
    if load.echo_path is not None:
        body = ('{"from":"sender0","to":"agent0","body":"' + "x" * load.body_bytes + '"}').encode()
        return [Echoed(tally, load.echo_path, body) for _ in range(load.senders)]
    roles: list[Role] = [
        Sender(
            tally,
            number=number,
            recipients=load.recipients,
            body_bytes=load.body_bytes,
            batch=load.batch,
            most_on_the_way=load.most_on_the_way,
            pause_seconds=load.senders / load.per_second if load.per_second else 0,
        )
        for number in range(load.senders)
    ]
    if load.fetches:
        roles += [
            Consumer(tally, name=name, limit=load.fetch_limit, wait_seconds=1)
            for name in load.recipients
        ]
    return roles


def _spread_ms(seconds: Sequence[float]) -> Spread:
    return spread([one * 1000 for one in seconds]) if seconds else Spread(p50=0, p99=0)


if __name__ == "__main__":
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)
    sys.stdout.buffer.write(msgspec.json.encode(run(task)))
