"""Conversations: what a message belongs to beside its thread, by name (SPEC R4, R5).

There are two sorts: `dm:alice:bob`, between two agents whose ids stand in order, and
`channel:x`, of everything that was sent to a channel. Ids hold no colon, so that a name says all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NewType

from broker.kernel.errors import FieldProblem
from broker.kernel.ids import AgentId, ChannelId
from broker.messaging.message import Draft, Envelope

ConversationName = NewType("ConversationName", str)

_DIRECT: Final = "dm:"
_CHANNEL: Final = "channel:"


def direct_with(one: AgentId, other: AgentId) -> ConversationName:
    """The conversation of two agents, whoever begins it."""
    low, high = sorted((one, other))
    return ConversationName(f"{_DIRECT}{low}:{high}")


def of_channel(channel: ChannelId) -> ConversationName:
    """The conversation of a channel, which is also the target that reaches its members."""
    return ConversationName(f"{_CHANNEL}{channel}")


def channels_among(targets: Iterable[str]) -> list[ChannelId]:
    """The channels that are named one by one in `to`."""
    return [
        ChannelId(target.removeprefix(_CHANNEL))
        for target in targets
        if target.startswith(_CHANNEL)
    ]


def is_direct(channel: str | None) -> bool:
    """Whether a message's `channel` says that it is a direct message."""
    return channel is not None and channel.startswith(_DIRECT)


def conversations_of(message: Envelope) -> Iterator[ConversationName]:
    """The conversations that a message belongs to."""
    if message.channel is not None and is_direct(message.channel):
        yield ConversationName(message.channel)
    for channel in channels_among(message.to):
        yield of_channel(channel)


def channel_for(draft: Draft, named: Sequence[AgentId], replied_to: Envelope | None) -> str | None:
    """What a message's `channel` is: what its sender says, else where it plainly belongs.

    That is the one channel it is sent to, or the direct conversation that it replies in. `named`
    are the agents among its targets.
    """
    if draft.channel is not None:
        return draft.channel
    channels = channels_among(dict.fromkeys(draft.to))
    if len(channels) == 1:
        return channels[0]
    if replied_to is None or not is_direct(replied_to.channel) or not _is_to_one(draft, named):
        return None
    here = direct_with(draft.sender, named[0])
    return here if here == replied_to.channel else None


def problems_of_direct(draft: Draft, named: Sequence[AgentId]) -> Iterator[FieldProblem]:
    """What keeps a draft that says `dm:` in its channel from being a direct message."""
    if not is_direct(draft.channel):
        return
    if not _is_to_one(draft, named):
        yield FieldProblem(field="to", message="a direct message goes to one other agent, by id")
    elif draft.channel != (name := direct_with(draft.sender, named[0])):
        yield FieldProblem(
            field="channel", message=f"a direct message between these two has the channel {name}"
        )


def _is_to_one(draft: Draft, named: Sequence[AgentId]) -> bool:
    """Whether it goes to one agent that it names, who is another than its sender."""
    return len(set(draft.to)) == len(named) == 1 and named[0] != draft.sender
