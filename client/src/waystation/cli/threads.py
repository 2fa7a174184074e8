"""`waystation thread`: a conversation in order (SPEC M12)."""

from __future__ import annotations

import click

from waystation.cli.context import Invocation, with_invocation
from waystation.cli.conversations import show_conversation
from waystation.cli.options import Command
from waystation.cli.paging import paged


@click.command("thread", cls=Command)
@click.argument("thread_id", metavar="THREAD_ID")
@paged
@with_invocation
def command(
    invocation: Invocation, /, *, thread_id: str, limit: int | None, cursor: str | None
) -> None:
    """Show a conversation, oldest first."""
    page = invocation.station.threads.get(thread_id, limit=limit, cursor=cursor)
    show_conversation(invocation.output, page, page.messages, cursor=page.cursor)
