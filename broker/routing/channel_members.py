"""Who is a member of a channel, and what follows from it: who gets, posts and reads what (SPEC R5).

A membership belongs to one registration of an agent: when an agent is deleted its memberships are
over at once, whoever takes its id later. What is left of them in a channel's set counts for nothing
and is swept out by whoever comes across it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from broker.directory.roll import RollCall
from broker.kernel.errors import BrokerError, FieldProblem, ForbiddenError
from broker.kernel.ids import AgentId, ChannelId
from broker.kernel.viewer import Viewer
from broker.routing.channel_roster import Rosters
from broker.routing.channel_store import Channel, ChannelStore, Member


class NotAMemberError(ForbiddenError):
    """That is for members of the channel: posting to a private one, inviting to any."""

    code = "not_a_member"


class ChannelMembers:
    """Compares who joined channels with who is registered."""

    def __init__(
        self,
        store: ChannelStore,
        registered_at: Callable[[Sequence[AgentId]], list[int | None]],
        rolls: RollCall,
    ) -> None:
        """`registered_at` gives when (ms) each agent registered, None where one is not."""
        self._store = store
        self._registered_at = registered_at
        self._rolls = rolls
        self._rosters = Rosters(store)

    # --- what routing and reading ask -------------------------------------------------------

    def audience(self, name: str) -> Collection[AgentId] | None:
        """Who gets what is posted to a channel, if registered; None if there is no such channel."""
        roster = self._rosters.of(ChannelId(name))
        if roster is None:
            return None
        # The roll may be half a second old: who is not in it as it was may have joined since, and
        # is looked at again; who has gone since is passed over by whoever asks for recipients.
        roll = self._rolls.recent()
        found: list[Member] = []
        doubtful: list[Member] = []
        for member in roster.members:
            enrolled = roll.find(member.agent)
            stayed = enrolled is not None and enrolled.registered_at == member.since
            (found if stayed else doubtful).append(member)
        if doubtful:
            found += self.present(ChannelId(name), doubtful)
        return [one.agent for one in found]

    def refusal(self, sender: AgentId, name: str) -> BrokerError | None:
        """Why an agent may not post to a channel: it is private, and the agent is no member."""
        channel = self._store.read([ChannelId(name)])[0]
        if channel is None or not channel.is_private or self.among(channel.id, [sender]):
            return None
        return NotAMemberError(
            f"Channel {name} is private, and {sender} is no member of it.",
            problems=[FieldProblem(field="to", message=f"{sender} is no member of {name}")],
        )

    def readable(self, viewer: Viewer, channels: Iterable[ChannelId]) -> dict[ChannelId, int]:
        """Those of the channels whose messages the viewer may see; three trips at most.

        Each with when (ms) it began: what was posted to another of its name is not to be seen.
        """
        stored = self._store.read(list(channels))
        visible = self.visible([one for one in stored if one is not None], viewer)
        return {one.id: one.created_at for one in visible}

    # --- memberships ------------------------------------------------------------------------

    def registered_at(self, agent: AgentId) -> int | None:
        """When (ms) an agent registered; None if it is not."""
        return self._registered_at([agent])[0]

    def visible(self, channels: Sequence[Channel], viewer: Viewer) -> list[Channel]:
        """Those of the channels that are there for the viewer."""
        if viewer is None:
            return list(channels)
        private = [one for one in channels if one.is_private]
        theirs = {one.id for one in self.having(private, viewer)} if private else set()
        return [one for one in channels if not one.is_private or one.id in theirs]

    def having(self, channels: Sequence[Channel], agents: frozenset[AgentId]) -> list[Channel]:
        """Those of the channels of which one of these agents is a member; two trips for all."""
        names = sorted(agents)
        registered = self._registered_at(names)
        known = [(agent, at) for agent, at in zip(names, registered, strict=True) if at is not None]
        pairs = [(channel.id, agent) for channel in channels for agent, _ in known]
        since = dict(zip(pairs, self._store.since(pairs), strict=True))
        return [
            channel
            for channel in channels
            if any(since[channel.id, agent] == at for agent, at in known)
        ]

    def among(self, channel: ChannelId, agents: Sequence[AgentId]) -> list[Member]:
        """Those of these agents that are members; two trips for all."""
        registered = self._registered_at(agents)
        joined = self._store.since([(channel, agent) for agent in agents])
        return [
            Member(agent=agent, since=at)
            for agent, at, since in zip(agents, registered, joined, strict=True)
            if at is not None and at == since
        ]

    def present(self, channel: ChannelId, members: Sequence[Member]) -> list[Member]:
        """Those that are still who they were when they joined; the others are swept out."""
        registered = self._registered_at([one.agent for one in members])
        with_now = list(zip(members, registered, strict=True))
        gone = [one for one, at in with_now if at != one.since]
        if gone:
            self._store.evict(channel, gone)
        return [one for one, at in with_now if at == one.since]
