"""What inboxes say to their senders, remembered for a moment.

A sender at work would ask the same inbox before each message, in a trip of its own. An inbox that
is far from its limit is asked once a moment instead. That stays exact for one sender: what arrived
since then leaves the sum of depth and both counters alone (ADR 5), and what was consumed since only
makes it smaller. Whoever is refused by what was remembered asks again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from broker.kernel.ids import AgentId, Partition
from broker.messaging.outgoing_store import Admission

_MOMENT_SECONDS: Final = 0.25
_MOST: Final = 10_000

Read = Callable[[Partition, Sequence[AgentId]], list[Admission]]


class Admissions:
    """What inboxes said to senders of a partition."""

    def __init__(self, read: Read, *, now: Callable[[], float] = time.monotonic) -> None:
        """`read` asks the inboxes themselves, in one trip; `now` is in seconds."""
        self._read = read
        self._now = now
        self._remembered: dict[AgentId, dict[Partition, tuple[float, Admission]]] = {}

    def of(
        self, partition: Partition, agents: Iterable[AgentId], *, fresh: bool
    ) -> dict[AgentId, Admission]:
        """What each of these inboxes says; asked anew if `fresh`, or not known."""
        now = self._now()
        found = {}
        unknown = []
        for agent in agents:
            said_at, admission = self._remembered.get(agent, {}).get(partition, (0.0, None))
            if admission is None or fresh or now - said_at > _MOMENT_SECONDS:
                unknown.append(agent)
            else:
                found[agent] = admission
        if unknown:
            for admission in self._read(partition, unknown):
                found[admission.agent_id] = admission
                self._remember(partition, admission, now)
        return found

    def forget(self, agent: AgentId) -> None:
        """Ask anew: the agent was deleted, or its limits were changed."""
        self._remembered.pop(agent, None)

    def _remember(self, partition: Partition, admission: Admission, now: float) -> None:
        if not admission.registered or 2 * admission.depth >= admission.max_depth:
            self.forget(admission.agent_id)
            return
        if len(self._remembered) >= _MOST:
            self._remembered.clear()
        self._remembered.setdefault(admission.agent_id, {})[partition] = (now, admission)
