"""The members of channels as a process remembers them, asked for anew when their version rises."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from broker.kernel.ids import ChannelId
from broker.routing.channel_store import Channel, ChannelStore, Member

# Some 25 MB.
_MEMBERS_KEPT: Final = 200_000


@dataclass(frozen=True, kw_only=True)
class Roster:
    """A channel and its members at one version of it."""

    channel: Channel
    members: tuple[Member, ...]


class Rosters:
    """The rosters that were asked for last, as many as hold 200,000 members together.

    May be asked by many threads at once.
    """

    def __init__(self, store: ChannelStore, *, kept: int = _MEMBERS_KEPT) -> None:
        self._store = store
        self._kept = kept
        self._lock = threading.Lock()
        self._rosters: OrderedDict[ChannelId, Roster] = OrderedDict()
        self._held = 0

    def of(self, name: ChannelId) -> Roster | None:
        """The roster as it is now, None if there is no such channel; one trip if nothing changed.

        The version is read before the members: what changes between is read again next time.
        """
        channel = self._store.read([name])[0]
        with self._lock:
            known = self._rosters.get(name)
            if channel is None:
                self._forget(name)
                return None
            if known is not None and known.channel.version == channel.version:
                self._rosters.move_to_end(name)
                return known
        roster = Roster(channel=channel, members=tuple(self._store.members(name)))
        with self._lock:
            self._forget(name)
            self._rosters[name] = roster
            self._held += len(roster.members)
            while self._held > self._kept:
                self._forget(next(iter(self._rosters)))
        return roster

    def _forget(self, name: ChannelId) -> None:
        if known := self._rosters.pop(name, None):
            self._held -= len(known.members)
