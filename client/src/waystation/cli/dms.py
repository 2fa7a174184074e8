"""`waystation dms`: direct messages between two agents (SPEC R4)."""

from __future__ import annotations

from typing import Any, Final, cast

import click

from waystation.cli.bodies import body_of, with_body
from waystation.cli.completion import AGENTS
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.conversations import show_conversation
from waystation.cli.drafts import said_of, with_message
from waystation.cli.options import CommandGroup
from waystation.cli.paging import paged
from waystation.resources.messages import DirectOptions

_COLUMNS: Final = ("WITH", "UNREAD", "LAST MESSAGE", "LAST AT")

_other = click.argument("other_id", metavar="AGENT", shell_complete=AGENTS)


@click.group("dms", cls=CommandGroup)
def command() -> None:
    """Write to one agent, and read what you two said."""


@command.command("list")
@paged
@with_invocation
def list_conversations(invocation: Invocation, /, *, limit: int | None, cursor: str | None) -> None:
    """List your conversations, the last used first."""
    page = invocation.station.direct_messages.list(invocation.agent_id, limit=limit, cursor=cursor)
    rows = [
        (
            one.with_,
            f"{one.unread}+" if one.unread_at_least else one.unread,
            one.last_message_id,
            one.last_message_at,
        )
        for one in page.conversations
    ]
    invocation.output.page(page, _COLUMNS, rows, empty="No conversations.", cursor=page.cursor)


@command.command("send")
@_other
@with_body
@with_message
@with_invocation
def send(
    invocation: Invocation,
    /,
    *,
    other_id: str,
    body: str | None,
    file: str | None,
    **message: Any,  # noqa: ANN401 - checked by click and the station
) -> None:
    """Write to an agent."""
    text = body_of(body, file, needed=message["payload"] is None)
    sent = invocation.station.direct_messages.send(
        invocation.agent_id, other_id, text, **cast(DirectOptions, said_of(message))
    )
    invocation.output.result(sent, sent.id)


@command.command("history")
@_other
@paged
@with_invocation
def history(
    invocation: Invocation, /, *, other_id: str, limit: int | None, cursor: str | None
) -> None:
    """Show what you two said; --cursor leads to what came before."""
    page = invocation.station.direct_messages.history(
        invocation.agent_id, other_id, limit=limit, cursor=cursor
    )
    show_conversation(invocation.output, page, page.messages, cursor=page.cursor)
