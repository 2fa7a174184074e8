"""What one watcher wants to be told of, and what it may see of that."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from broker.kernel.ids import AgentId, MessageId, ThreadId
from broker.kernel.viewer import Viewer
from broker.operations.timeline import Event, Item


class Origin(NamedTuple):
    """Who sent a message, and the conversation that it belongs to."""

    sender: AgentId
    thread: ThreadId


Origins = Mapping[MessageId, Origin]
"""Those that are still known: a record leaves when its retention has passed."""


@dataclass(frozen=True, kw_only=True)
class Interest:
    """Which events a watcher is told of; what it leaves out asks for nothing in particular.

    `events` are names or families (`delivery.*`). `agent` means what it sent, received, or is
    itself. A `viewer` sees what one of its agents sent or received, and every agent's coming and
    going, which the directory shows to all who are known.
    """

    events: tuple[str, ...] = ()
    agent: AgentId | None = None
    message: MessageId | None = None
    thread: ThreadId | None = None
    viewer: Viewer = None

    def select(
        self, events: Sequence[Event], origins: Callable[[Collection[MessageId]], Origins]
    ) -> list[Event]:
        """Those of the events, and of their items, that are wanted and may be seen.

        `origins` is asked only where they decide.
        """
        wanted = [
            replace(event, items=items)
            for event in events
            if self._wants(event.name)
            and (items := tuple(item for item in event.items if self._may_want(item)))
        ]
        if self.viewer is None and self.agent is None and self.thread is None:
            return wanted
        found = origins(
            {item.message_id for event in wanted for item in event.items if item.message_id}
        )
        return [
            replace(event, items=items)
            for event in wanted
            if (items := tuple(item for item in event.items if self._shows(item, found)))
        ]

    def _wants(self, name: str) -> bool:
        return not self.events or any(
            name.startswith(one[:-1]) if one.endswith(".*") else name == one for one in self.events
        )

    def _may_want(self, item: Item) -> bool:
        """What can be said of an item without knowing where its message comes from."""
        return (self.message is None or item.message_id == self.message) and (
            self.thread is None or item.message_id is not None
        )

    def _shows(self, item: Item, origins: Origins) -> bool:
        if item.message_id is None:
            return self._shows_other(item)
        origin = origins.get(item.message_id)
        sender = origin.sender if origin else None
        concerned = {sender, item.agent_id}
        return (
            (self.viewer is None or not self.viewer.isdisjoint(concerned))
            and (self.agent is None or self.agent in concerned)
            and (self.thread is None or (origin is not None and origin.thread == self.thread))
        )

    def _shows_other(self, item: Item) -> bool:
        is_agent = item.other_id is None
        may_see = self.viewer is None or is_agent or item.agent_id in self.viewer
        return may_see and (self.agent is None or item.agent_id == self.agent)
