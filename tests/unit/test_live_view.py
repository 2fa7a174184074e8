"""What the live view draws of a station, within so many lines."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest
from rich.console import Console

from waystation.answers import Event, EventItem, InboxDepth, Stats
from waystation.cli.live.frame import View, frame
from waystation.cli.live.keyboard import Key, keys_of
from waystation.cli.live.snapshot import AgentLine, Order, Snapshot, agent_lines, ordered

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
LATENCY = {"average": 2.0, "count": 9, "p50": 2.0, "p90": 3.0, "p95": 4.0, "p99": 5.0}
STATS = msgspec.convert(
    {
        "agents": {"online": 1, "stale": 0, "offline": 2},
        "dead_letters": 3,
        "depth": {"deepest": [], "fullest_ratio": 0.5, "inboxes": 2, "total": 7},
        "latency_ms": LATENCY,
        "recent_latency_ms": LATENCY,
        "measured_at": "2026-11-21T12:00:00Z",
        "oldest_age_seconds": {"accepted": None, "queued": 90.0},
        "processes": {"routing": 1, "delivery": 0},
        "rates": {
            "accepted_per_second": 1.0,
            "acknowledged_per_second": 1.0,
            "error_rate": 0.25,
            "failed_per_second": 0.0,
            "leased_per_second": 1.0,
            "queued_per_second": 1.0,
            "replied_per_second": 0.0,
            "window_seconds": 60.0,
        },
        "redis": [
            {
                "name": "one",
                "used_memory_bytes": 3145728,
                "max_memory_bytes": 0,
                "append_only": False,
                "append_only_ok": True,
                "clients": 4,
            }
        ],
        "states": {"queued": 7, "dead": 0},
        "totals": {},
    },
    Stats,
)


def agent(name: str, *, presence: str = "online", depth: int = 0, oldest: float = 0) -> AgentLine:
    return AgentLine(
        id=name,
        presence=presence,
        depth=depth,
        queued=depth,
        leased=0,
        waiting=0,
        oldest_age_seconds=oldest or None,
    )


def event(number: int) -> Event:
    items = [EventItem(message_id=f"msg_{number}", agent_id="bob")] * 4
    return Event(event="delivery.queued", at=NOW, items=items)


def snapshot(agents: int = 0, events: int = 0) -> Snapshot:
    return Snapshot(
        at=NOW,
        url="http://127.0.0.1:8080",
        stats=STATS,
        agents=[agent(f"agent-{number:04}", depth=agents - number) for number in range(agents)],
        not_ready=None,
        events=[event(number) for number in range(events)],
    )


def drawn(of: Snapshot, view: View, *, columns: int = 80) -> list[str]:
    console = Console(width=columns, record=True, file=io.StringIO())
    console.print(frame(of, view))
    return console.export_text().rstrip("\n").split("\n")


@pytest.mark.parametrize("lines", [24, 25, 40, 100])
@pytest.mark.parametrize("agents", [0, 1, 5, 1000])
@pytest.mark.parametrize("events", [0, 2, 100])
def test_it_fills_the_lines_that_there_are_and_no_more(
    lines: int, agents: int, events: int
) -> None:
    picture = drawn(snapshot(agents, events), View(lines=lines))

    assert len(picture) == lines
    assert max(map(len, picture)) <= 80
    assert picture[-1].startswith("q quit")


def test_the_deepest_come_first_and_the_newest_events_last() -> None:
    picture = "\n".join(drawn(snapshot(50, 50), View(lines=24)))

    assert "agent-0000" in picture
    assert "agent-0049" not in picture
    assert "msg_49" in picture
    assert "msg_0 " not in picture


def test_scrolling_ends_at_the_last_agent() -> None:
    picture = drawn(snapshot(50), View(lines=24, skipped=1000))

    assert any("agent-0049" in line for line in picture)
    assert "50 of 50 agents" in picture[-1]


def test_what_is_wrong_is_said_in_the_first_line() -> None:
    away = drawn(replace(snapshot(), away="refused"), View())
    not_ready = drawn(replace(snapshot(), not_ready="redis"), View())

    assert "AWAY: refused" in away[0]
    assert "NOT READY: redis" in not_ready[0]
    assert any("NOT DURABLE" in line for line in away)


def test_every_order_has_its_first() -> None:
    lines = [
        agent("b", presence="offline", depth=9),
        agent("c", presence="stale", oldest=60),
        agent("d", presence="online", depth=1),
        agent("a", presence="unknown"),
    ]

    assert {order: ordered(lines, order)[0].id for order in Order} == {
        Order.DEPTH: "b",
        Order.OLDEST: "c",
        Order.PRESENCE: "d",
        Order.NAME: "a",
    }


def test_sorting_goes_round() -> None:
    order = Order.DEPTH
    seen = [order := order.next() for _ in Order]

    assert set(seen) == set(Order)
    assert order is Order.DEPTH


def test_an_inbox_without_a_registered_agent_is_shown() -> None:
    inbox = InboxDepth(
        agent_id="held",
        depth=3,
        leased=1,
        limit=1000,
        oldest_age_seconds=5.0,
        queued=1,
        waiting=1,
    )

    (line,) = agent_lines([], [inbox])

    assert (line.id, line.presence, line.depth) == ("held", "unknown", 3)


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        (b"q", [Key.QUIT]),
        (b"\x1b[A\x1b[Bs", [Key.UP, Key.DOWN, Key.SORT]),
        (b"\x1bOAkj", [Key.UP, Key.UP, Key.DOWN]),
        (b"xyz\x1b[15~", []),
    ],
)
def test_keys_are_told_apart(typed: bytes, keys: list[Key]) -> None:
    assert list(keys_of(typed)) == keys
