"""Who may see a message: its sender, whom it has reached, who reads its channel (SPEC Z2).

A message reaches an agent when it is routed to its inbox. So one that is delayed, or was withdrawn
before it was routed, is its sender's alone: nobody finds it by its id, a thread or a reply. Its
channels are those that it was sent to; the field `channel` is a word that anybody may use.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, TypeVar

from broker.kernel.ids import AgentId, ChannelId, MessageId
from broker.kernel.viewer import Viewer, includes
from broker.messaging.conversation import channels_among
from broker.messaging.inbox_store import InboxStore
from broker.messaging.message import Envelope

# What an agent has received lies in no order of time. Up to so many ids are fetched to be put in
# one; who has more is so busy that a scan of all messages meets its own often enough.
_RECEIVED_AT_MOST: Final = 20_000
_NEVER: Final = 2**63
"""Later than any time in ms."""

_Message = TypeVar("_Message", bound=Envelope)

Readable = Callable[[Viewer, Collection[ChannelId]], Mapping[ChannelId, int]]
"""Those of the channels whose messages a viewer may read, and when (ms) each began."""


def may_see(viewer: Viewer, message: Envelope, readers: Collection[AgentId]) -> bool:
    """Whether the message is the viewer's to see; `readers` are its recipients among others."""
    return includes(viewer, message.sender) or any(includes(viewer, one) for one in readers)


class Visibility:
    """Finds out whom messages have reached, for viewers who may not see everything."""

    def __init__(self, inboxes: InboxStore, readable: Readable) -> None:
        self._inboxes = inboxes
        self._readable = readable

    def sees(self, viewer: Viewer, message: Envelope) -> bool:
        """Whether the viewer may see this message."""
        return bool(self.visible(viewer, [message]))

    def visible(self, viewer: Viewer, messages: Sequence[_Message]) -> list[_Message]:
        """Those of the messages that the viewer may see.

        One trip for all at most, and a few more if some were sent to channels.
        """
        if viewer is None:
            return list(messages)
        agents = sorted(viewer)
        asked = [one for one in messages if not may_see(viewer, one, ())]
        reached = self._inboxes.reached([one.id for one in asked], agents)
        posted = self._posted_for(viewer, [one for one in asked if not reached[one.id]])
        return [
            one
            for one in messages
            if may_see(viewer, one, reached.get(one.id, ())) or one.id in posted
        ]

    def _posted_for(self, viewer: Viewer, messages: Sequence[Envelope]) -> set[MessageId]:
        """Those of the messages that were routed to a channel that the viewer may read.

        An earlier channel of the same name was another one.
        """
        channels = [(message, channels_among(message.to)) for message in messages]
        named = {channel for _, several in channels for channel in several}
        readable = self._readable(viewer, named) if named else {}
        posted = [
            message.id
            for message, several in channels
            if any(readable.get(one, _NEVER) <= message.created_at for one in several)
        ]
        redis, keys = self._inboxes.redis, self._inboxes.keys
        routed = redis.commands([("EXISTS", keys.audience(identifier)) for identifier in posted])
        return {one for one, is_routed in zip(posted, routed, strict=True) if is_routed}

    def received(self, agents: Collection[AgentId]) -> list[MessageId] | None:
        """The messages that have reached these agents, newest first; None if they are too many."""
        if sum(self._inboxes.received_counts(agents)) > _RECEIVED_AT_MOST:
            return None
        return sorted(self._inboxes.received(agents), reverse=True)
