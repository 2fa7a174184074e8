"""Draws a snapshot within so many columns and lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from waystation.answers import Event, Latency
from waystation.cli.cells import printable, span
from waystation.cli.live.snapshot import AgentLine, Order, Snapshot, ordered

_COLORS: Final = {"online": "green", "stale": "yellow", "offline": "dim", "unknown": "dim"}
_LEAST_AGENTS: Final = 3
_NAMED_ITEMS: Final = 2
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class View:
    """How somebody looks at it; without `lines` everything is shown, and no keys."""

    order: Order = Order.DEPTH
    skipped: int = 0
    """How many agents are scrolled away."""
    lines: int | None = None


def frame(snapshot: Snapshot, view: View) -> RenderableType:
    """The whole picture."""
    head = [_line(one) for one in _head(snapshot)]
    agents = ordered(snapshot.agents, view.order)
    if view.lines is None:
        return Group(*head, _agents(agents), *_events(snapshot.events))
    # Titles, an empty line before the events, and the line of keys.
    room = max(view.lines - len(head) - 4, 0)
    events = min(len(snapshot.events), max(room // 3, room - len(agents)), room)
    shown = max(room - events, min(room, _LEAST_AGENTS))
    events = room - shown
    first = min(view.skipped, max(len(agents) - shown, 0))
    return Group(
        *head,
        _agents(agents[first : first + shown]),
        *(Text() for _ in range(shown - min(shown, len(agents)))),
        *_events(snapshot.events[-events:] if events else ()),
        *(Text() for _ in range(events - min(events, len(snapshot.events)))),
        _keys(view, first=first, shown=shown, of=len(agents)),
    )


def _head(snapshot: Snapshot) -> Iterator[Text]:
    stats, rates = snapshot.stats, snapshot.stats.rates
    title = Text.assemble(("waystation", "bold"), f" {snapshot.url}  {snapshot.at:%H:%M:%S}  ")
    if snapshot.away is not None:
        title.append(f"AWAY: {snapshot.away}", "bold red")
    elif snapshot.not_ready is not None:
        title.append(f"NOT READY: {snapshot.not_ready}", "bold red")
    else:
        title.append("ready", "green")
    yield title
    yield _said(
        "rates/s",
        f"accepted {rates.accepted_per_second:.1f}",
        f"queued {rates.queued_per_second:.1f}",
        f"leased {rates.leased_per_second:.1f}",
        f"acknowledged {rates.acknowledged_per_second:.1f}",
        f"failed {rates.failed_per_second:.1f}",
    )
    yield _said("latency", *_latency(stats.recent_latency_ms), f"errors {rates.error_rate:.1%}")
    yield _said(
        "depth",
        f"{stats.depth.total} in {stats.depth.inboxes} inboxes",
        f"fullest {stats.depth.fullest_ratio:.0%}",
        f"oldest {_age(stats.oldest_age_seconds.queued)}",
        f"unrouted {_age(stats.oldest_age_seconds.accepted)}",
    )
    states = _said("states", *(f"{name} {count}" for name, count in stats.states.items() if count))
    states.append("  dead letters ", "dim")
    states.append(str(stats.dead_letters), "bold red" if stats.dead_letters else "")
    yield states
    yield _said(
        "agents",
        f"online {stats.agents.online}",
        f"stale {stats.agents.stale}",
        f"offline {stats.agents.offline}",
    )
    processes = Text("processes ", "dim")
    for role, count in stats.processes.items():
        processes.append(f" {role} ")
        processes.append(str(count), "" if count else "bold red")
    for server in stats.redis:
        processes.append(f"  redis {server.used_memory_bytes / _MIB:.0f} MiB")
        if not (server.append_only and server.append_only_ok):
            processes.append(" NOT DURABLE", "bold red")
    yield processes


def _latency(latency: Latency) -> Iterator[str]:
    if latency.p50 is None:
        yield "nothing delivered lately"
        return
    for name in ("p50", "p95", "p99"):
        value: float | None = getattr(latency, name)
        yield f"{name} {'-' if value is None else f'{value:.0f} ms'}"


def _agents(lines: Sequence[AgentLine]) -> Table:
    table = Table(box=None, pad_edge=False, expand=True, header_style="bold reverse")
    table.add_column("agent", ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column("presence", width=8, no_wrap=True)
    for name in ("depth", "queued", "leased", "waiting", "oldest"):
        table.add_column(name, justify="right", width=7, no_wrap=True)
    for line in lines:
        table.add_row(
            Text(printable(line.id)),
            Text(line.presence, _COLORS.get(line.presence, "")),
            str(line.depth),
            str(line.queued),
            str(line.leased),
            str(line.waiting),
            _age(line.oldest_age_seconds),
        )
    return table


def _events(events: Sequence[Event]) -> Iterator[Text]:
    yield Text()
    yield _line(Text("what happened last", "bold"))
    for event in events:
        yield _line(_event(event))


def _event(event: Event) -> Text:
    text = Text(f"{event.at:%H:%M:%S} " if event.at else "         ", "dim")
    text.append(f"{event.event} ", "cyan")
    items = event.items or []
    for item in items[:_NAMED_ITEMS]:
        named = [one for one in (item.message_id, item.agent_id, item.id) if one]
        text.append(printable(f" {' → '.join(named)}"))
    if len(items) > _NAMED_ITEMS:
        text.append(f" and {len(items) - _NAMED_ITEMS} more", "dim")
    return text


def _keys(view: View, *, first: int, shown: int, of: int) -> Text:
    text = Text("q quit  s sort ", "dim")
    text.append(f"by {view.order.value}")
    if of > shown:
        text.append(f"  ↑↓ {first + 1}-{min(first + shown, of)} of {of} agents", "dim")
    return _line(text)


def _said(name: str, *values: str) -> Text:
    text = Text(f"{name:<10}", "dim")
    text.append("  ".join(values))
    return text


def _line(text: Text) -> Text:
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text


def _age(seconds: float | None) -> str:
    return "-" if seconds is None else span(seconds)
