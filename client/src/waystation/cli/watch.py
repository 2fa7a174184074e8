"""`waystation watch`: what happens, as it happens (SPEC T3)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final

import click

from waystation.answers import EventItem
from waystation.cli.completion import AGENTS
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.options import Command
from waystation.watching import WatchedEvent

_GAP: Final = "gap"


@click.command("watch", cls=Command)
@click.option(
    "--event",
    "events",
    multiple=True,
    metavar="NAME",
    help="Only these, such as message.accepted or delivery.*; repeatable.",
)
@click.option(
    "--about", "agent", metavar="AGENT", shell_complete=AGENTS, help="What concerns this agent."
)
@click.option("--message", metavar="ID", help="What concerns this message.")
@click.option("--thread", metavar="ID", help="What concerns this conversation.")
@click.option("--after", metavar="EVENT_ID", help="Go on behind this event.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="End after so many events.")
@click.option("--past", is_flag=True, help="What has happened until now; don't wait for more.")
@with_invocation
def command(
    invocation: Invocation,
    /,
    *,
    limit: int | None,
    past: bool,
    **interest: Any,  # noqa: ANN401 - checked by click and the station
) -> None:
    """Tell what happens, as it happens.

    A connection that drops is opened again behind the last event; --json gives a line an event.
    """
    output = invocation.output
    said = {name: value for name, value in interest.items() if value}
    with invocation.station.events.watch(**said, follow=not past) as watch:
        for event in itertools.islice(watch, limit):
            if output.as_json:
                output.line(event)
            elif event.event == _GAP:
                output.note("Some events behind this place are missing.")
            else:
                for line in lines_of(event, for_people=output.for_people):
                    output.text(line)


def lines_of(event: WatchedEvent, *, for_people: bool) -> Iterator[str]:
    """A line for each message or agent that made the move: time, name, message, agent, other."""
    at = event.at
    moment = "" if at is None else f"{at.astimezone():%H:%M:%S}" if for_people else at.isoformat()
    between = "  " if for_people else "\t"
    for item in event.items or [EventItem()]:
        named = (item.message_id, item.agent_id, item.id)
        told = [one or "" for one in named] if not for_people else [one for one in named if one]
        yield between.join([moment, f"{event.event:<24}" if for_people else event.event, *told])
