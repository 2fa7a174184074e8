"""Who may see a message: its sender, whom it has reached, who reads its channel (SPEC Z2).

A message reaches an agent when it is routed to its inbox. So one that is delayed, or was withdrawn
before it was routed, is its sender's alone: nobody finds it by its id, a thread or a reply.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Final, TypeVar

from broker.kernel.ids import AgentId, MessageId
from broker.kernel.viewer import Viewer, includes
from broker.messaging.inbox_store import InboxStore
from broker.messaging.message import Envelope

# What an agent has received lies in no order of time. Up to so many ids are fetched to be put in
# one; who has more is so busy that a scan of all messages meets its own often enough.
_RECEIVED_AT_MOST: Final = 20_000
_CHANNEL: Final = "channel:"

_Message = TypeVar("_Message", bound=Envelope)

ReadChannels = Callable[[Collection[AgentId], Collection[str]], Collection[str]]
"""Those of the channels that one of the agents may read."""


def may_see(viewer: Viewer, message: Envelope, readers: Collection[AgentId]) -> bool:
    """Whether the message is the viewer's to see; `readers` are its recipients among others."""
    return includes(viewer, message.sender) or any(includes(viewer, one) for one in readers)


class Visibility:
    """Finds out whom messages have reached, for viewers who may not see everything."""

    def __init__(self, inboxes: InboxStore, read_channels: ReadChannels) -> None:
        self._inboxes = inboxes
        self._read_channels = read_channels

    def sees(self, viewer: Viewer, message: Envelope) -> bool:
        """Whether the viewer may see this message."""
        return bool(self.visible(viewer, [message]))

    def visible(self, viewer: Viewer, messages: Sequence[_Message]) -> list[_Message]:
        """Those of the messages that the viewer may see; at most two trips for all."""
        if viewer is None:
            return list(messages)
        agents = sorted(viewer)
        asked = [one for one in messages if not may_see(viewer, one, ())]
        reached = self._inboxes.reached([one.id for one in asked], agents)
        channels = {channel for one in asked if not reached[one.id] for channel in _channels(one)}
        read = self._read_channels(agents, channels) if channels else ()
        return [
            one
            for one in messages
            if may_see(viewer, one, reached.get(one.id, ()))
            or any(channel in read for channel in _channels(one))
        ]

    def received(self, agents: Collection[AgentId]) -> list[MessageId] | None:
        """The messages that have reached these agents, newest first; None if they are too many."""
        if sum(self._inboxes.received_counts(agents)) > _RECEIVED_AT_MOST:
            return None
        return sorted(self._inboxes.received(agents), reverse=True)


def _channels(message: Envelope) -> list[str]:
    """The channels that it was posted to. What its field `channel` says is up to its sender."""
    return [one.removeprefix(_CHANNEL) for one in message.to if one.startswith(_CHANNEL)]
