"""`waystation channels`: talking in groups (SPEC R5)."""

from __future__ import annotations

from typing import Any, Final

import click
import msgspec

from waystation.answers import Channel
from waystation.cli.bodies import body_of, with_body
from waystation.cli.completion import AGENTS, CHANNELS
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.conversations import show_conversation
from waystation.cli.drafts import said_of, with_message
from waystation.cli.options import CommandGroup
from waystation.cli.paging import paged

_COLUMNS: Final = ("CHANNEL", "TOPIC", "MEMBERS", "OWNER", "PRIVATE", "CREATED")

_channel = click.argument("channel_id", metavar="CHANNEL", shell_complete=CHANNELS)
_other = click.argument("agent_id", metavar="AGENT", shell_complete=AGENTS)


@click.group("channels", cls=CommandGroup)
def command() -> None:
    """Make, join, read and post to channels."""


@command.command("list")
@click.option("--member", metavar="AGENT", shell_complete=AGENTS, help="Those it is a member of.")
@paged
@with_invocation
def list_channels(
    invocation: Invocation, /, *, member: str | None, limit: int | None, cursor: str | None
) -> None:
    """List the channels that you may see."""
    page = invocation.station.channels.list(member=member, limit=limit, cursor=cursor)
    rows = [
        (one.id, one.topic, one.members, one.owner, one.private, one.created_at)
        for one in page.channels
    ]
    invocation.output.page(page, _COLUMNS, rows, empty="No channels.", cursor=page.cursor)


@command.command("show")
@_channel
@with_invocation
def show(invocation: Invocation, /, *, channel_id: str) -> None:
    """Show a channel."""
    _show(invocation, invocation.station.channels.get(channel_id))


@command.command("create")
@click.argument("channel_id", metavar="CHANNEL")
@click.option("--topic", help="What it is for.")
@click.option("--private", is_flag=True, help="Members only, by invitation.")
@with_invocation
def create(
    invocation: Invocation,
    /,
    *,
    channel_id: str,
    topic: str | None,
    private: bool,
) -> None:
    """Make a channel; you own it, and are its first member."""
    channel = invocation.station.channels.create(
        channel_id, owner=invocation.agent_id, private=private, topic=topic
    )
    invocation.output.result(channel, channel.id)


@command.command("update")
@_channel
@click.option("--topic", help="What it is for; an empty one clears it.")
@click.option("--private/--public", default=None, help="Who may see and join it.")
@click.option("--owner", metavar="AGENT", help="Hand it over to this member.")
@with_invocation
def update(
    invocation: Invocation,
    /,
    *,
    channel_id: str,
    topic: str | None,
    private: bool | None,
    owner: str | None,
) -> None:
    """Change a channel that you own."""
    changes: dict[str, Any] = {"private": private, "owner": owner}
    changes = {name: value for name, value in changes.items() if value is not None}
    if topic is not None:
        changes["topic"] = topic or None
    if not changes:
        raise click.UsageError("Say what to change.")
    _show(invocation, invocation.station.channels.update(channel_id, **changes))


@command.command("delete")
@_channel
@click.option("--yes", is_flag=True, help="Don't ask.")
@with_invocation
def delete(invocation: Invocation, /, *, channel_id: str, yes: bool) -> None:
    """Delete a channel with its history."""
    if not yes:
        click.confirm(f"Delete {channel_id} with its history?", abort=True, err=True)
    invocation.station.channels.delete(channel_id)
    invocation.output.note(f"{channel_id} is deleted.")


@command.command("join")
@_channel
@with_invocation
def join(invocation: Invocation, /, *, channel_id: str) -> None:
    """Join a public channel."""
    channel = invocation.station.channels.join(channel_id, agent_id=invocation.agent_id)
    invocation.output.result(channel, channel.id)


@command.command("leave")
@_channel
@with_invocation
def leave(invocation: Invocation, /, *, channel_id: str) -> None:
    """Leave a channel."""
    invocation.station.channels.leave(channel_id, agent_id=invocation.agent_id)
    invocation.output.note(f"{invocation.agent_id} has left {channel_id}.")


@command.command("members")
@_channel
@paged
@with_invocation
def members(
    invocation: Invocation, /, *, channel_id: str, limit: int | None, cursor: str | None
) -> None:
    """List the members of a channel."""
    page = invocation.station.channels.members(channel_id, limit=limit, cursor=cursor)
    rows = [(one.agent_id,) for one in page.members]
    invocation.output.page(page, ("AGENT",), rows, empty="No members.", cursor=page.cursor)


@command.command("invite")
@_channel
@_other
@with_invocation
def invite(invocation: Invocation, /, *, channel_id: str, agent_id: str) -> None:
    """Make an agent a member; any member may."""
    channel = invocation.station.channels.invite(channel_id, agent_id=agent_id)
    invocation.output.result(channel, channel.id)


@command.command("remove")
@_channel
@_other
@with_invocation
def remove(invocation: Invocation, /, *, channel_id: str, agent_id: str) -> None:
    """End an agent's membership, as the owner."""
    invocation.station.channels.remove(channel_id, agent_id=agent_id)
    invocation.output.note(f"{agent_id} is no member of {channel_id} any more.")


@command.command("post")
@_channel
@with_body
@with_message
@with_invocation
def post(
    invocation: Invocation,
    /,
    *,
    channel_id: str,
    body: str | None,
    file: str | None,
    **message: Any,  # noqa: ANN401 - checked by click and the station
) -> None:
    """Post to a channel: the same as `waystation send channel:CHANNEL`."""
    text = body_of(body, file, needed=message["payload"] is None)
    sent = invocation.agent.send(f"channel:{channel_id}", text, **said_of(message))
    invocation.output.result(sent, sent.id)


@command.command("history")
@_channel
@paged
@with_invocation
def history(
    invocation: Invocation, /, *, channel_id: str, limit: int | None, cursor: str | None
) -> None:
    """Show what was posted; --cursor leads to what came before."""
    page = invocation.station.channels.history(channel_id, limit=limit, cursor=cursor)
    show_conversation(invocation.output, page, page.messages, cursor=page.cursor)


def _show(invocation: Invocation, channel: Channel) -> None:
    invocation.output.record(channel, msgspec.structs.asdict(channel))
