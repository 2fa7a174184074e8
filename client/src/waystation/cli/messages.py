"""`waystation messages`: what was sent (SPEC M15)."""

from __future__ import annotations

from typing import Any, Final

import click

from waystation.cli.completion import AGENTS, CHANNELS
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.conversations import text_of
from waystation.cli.drafts import Moment
from waystation.cli.options import Command
from waystation.cli.paging import paged

_COLUMNS: Final = ("MESSAGE", "FROM", "TO", "KIND", "STATUS", "CREATED", "TEXT")
_LONGEST: Final = 60


@click.command("messages", cls=Command)
@click.option("--from", "sender", metavar="AGENT", shell_complete=AGENTS, help="Sent by this one.")
@click.option("--to", metavar="AGENT", shell_complete=AGENTS, help="Sent to this one.")
@click.option("--kind", help="Of this kind.")
@click.option("--channel", shell_complete=CHANNELS, help="In this channel.")
@click.option("--thread", metavar="ID", help="In this conversation.")
@click.option("--status", help="That stand there: accepted, queued, acknowledged, dead, …")
@click.option("--since", type=Moment(), help="Sent then or later.")
@click.option("--until", type=Moment(), help="Sent before then.")
@paged
@with_invocation
def command(invocation: Invocation, /, **filters: Any) -> None:  # noqa: ANN401 - checked by click
    """List messages, newest first."""
    page = invocation.station.messages.list(**filters)
    for_people = invocation.output.for_people
    rows = [
        (
            one.id,
            one.from_,
            one.to,
            one.kind,
            one.status,
            one.created_at,
            shortened(one.subject or text_of(one)) if for_people else text_of(one),
        )
        for one in page.messages
    ]
    invocation.output.page(page, _COLUMNS, rows, empty="No messages.", cursor=page.cursor)


def shortened(text: str) -> str:
    """The first line, as far as it fits a column."""
    line = text.strip().split("\n", 1)[0]
    return line if len(line) <= _LONGEST and line == text.strip() else f"{line[: _LONGEST - 1]}…"
