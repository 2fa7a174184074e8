"""`waystation stats`: the station in numbers (SPEC M15)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import click
import msgspec

from waystation.answers import Stats
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.options import Command

_COLUMNS: Final = ("AGENT", "DEPTH", "QUEUED", "LEASED", "WAITING", "LIMIT", "OLDEST (S)")


@click.command("stats", cls=Command)
@click.option(
    "--inboxes", type=click.IntRange(1, 1000), metavar="N", help="Show the N deepest inboxes."
)
@with_invocation
def command(invocation: Invocation, /, *, inboxes: int | None) -> None:
    """Show the station in numbers; `top` shows them as they change."""
    stats = invocation.station.health.stats(inboxes=inboxes)
    output = invocation.output
    if inboxes is None:
        output.record(stats, dict(numbers(stats)))
        return
    rows = [
        (
            one.agent_id,
            one.depth,
            one.queued,
            one.leased,
            one.waiting,
            one.limit,
            one.oldest_age_seconds,
        )
        for one in stats.depth.deepest
    ]
    output.page(stats, _COLUMNS, rows, empty="Every inbox is empty.")


def numbers(stats: Stats) -> Iterator[tuple[str, object]]:
    """Every number by its path, such as `depth.total`; inboxes by name are left out."""
    return _flat(msgspec.to_builtins(stats), "")


def _flat(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name != "deepest":
                yield from _flat(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:  # the Redis servers, which have names
            yield from _flat(inner, f"{path}.{inner['name']}")
    else:
        yield path, value
