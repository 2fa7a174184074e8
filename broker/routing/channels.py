"""Channels: named places that agents join, and whose members get what is posted there (SPEC R5)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from broker.kernel.errors import (
    ConflictError,
    FieldProblem,
    ForbiddenError,
    InvalidFieldsError,
    NotFoundError,
    UnknownAgentError,
)
from broker.kernel.ids import AgentId, ChannelId, MessageId
from broker.kernel.viewer import Viewer
from broker.messaging.conversation import of_channel
from broker.messaging.conversations import Conversations
from broker.messaging.message import Message
from broker.routing.channel_members import ChannelMembers, NotAMemberError
from broker.routing.channel_store import Channel, ChannelStore, Member
from broker.storage.scripts import Argument

_READ: Final = 200
_ANYBODY: Final[dict[str, Argument]] = {"by": "*", "by_since": ""}
_NOBODY: Final[dict[str, Argument]] = {"by": "", "by_since": ""}


class ChannelNotFoundError(NotFoundError):
    """There is no such channel, or it is private and the caller is no member of it."""

    code = "channel_not_found"


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A channel as its owner asks for it."""

    id: ChannelId
    owner: AgentId
    is_private: bool = False
    topic: str | None = None


@dataclass(frozen=True, kw_only=True)
class Changes:
    """What is to change of a channel: None for what stays. An empty topic clears it."""

    owner: AgentId | None = None
    is_private: bool | None = None
    topic: str | None = None


class Channels:
    """The channels of the station.

    A viewer stands for the agents that a caller may act as, or for everybody (None: operators). A
    private channel is there for its members alone, and so is what was said in it.
    """

    def __init__(
        self,
        store: ChannelStore,
        members: ChannelMembers,
        conversations: Conversations,
        near_names: Callable[[AgentId], tuple[AgentId, ...]],
    ) -> None:
        self._store = store
        self._members = members
        self._conversations = conversations
        self._near_names = near_names

    # --- channels ---------------------------------------------------------------------------

    def create(self, wanted: Definition) -> tuple[Channel, bool]:
        """Make a channel, and say whether it is new; the same asked for again finds the first.

        Raises `UnknownAgentError`; `ConflictError` when another channel has this id.
        """
        outcome = self._store.move(
            "create",
            wanted.id,
            {
                "owner": wanted.owner,
                "since": self._registered(wanted.owner, field="owner"),
                "private": int(wanted.is_private),
                "topic": wanted.topic or "",
            },
        )
        if outcome == "taken":
            raise ConflictError(f"There is another channel {wanted.id} already. Choose another id.")
        return self._stored(wanted.id), outcome == "created"

    def get(self, channel: ChannelId, viewer: Viewer) -> Channel:
        """One channel. Raises `ChannelNotFoundError`."""
        found = self._store.read([channel])[0]
        if found is None or not self._members.visible([found], viewer):
            raise _unknown(channel)
        return found

    def find(
        self,
        viewer: Viewer,
        *,
        limit: int,
        after: ChannelId | None = None,
        member: AgentId | None = None,
    ) -> tuple[list[Channel], ChannelId | None]:
        """The channels that the viewer may see, by id, and where to go on.

        `member` leaves out those of which that agent is no member.
        """
        names = [name for name in self._store.names() if after is None or name > after]
        found: list[Channel] = []
        for start in range(0, len(names), _READ):
            stored = self._store.read(names[start : start + _READ])
            channels = self._members.visible([one for one in stored if one is not None], viewer)
            if member is not None:
                channels = self._members.having(channels, frozenset((member,)))
            found += channels
            if len(found) > limit:
                return found[:limit], found[limit - 1].id
        return found, None

    def change(self, channel: ChannelId, changes: Changes, viewer: Viewer) -> Channel:
        """Change a channel, for its owner. A new owner must be a member.

        Raises `ChannelNotFoundError`, `ForbiddenError`, `InvalidFieldsError`.
        """
        by = self._as_owner(channel, viewer)
        since = self._registered(changes.owner, field="owner") if changes.owner else ""
        outcome = self._store.move(
            "change",
            channel,
            {
                **by,
                "owner": f"={changes.owner}" if changes.owner else "",
                "owner_since": since,
                "private": "" if changes.is_private is None else f"={int(changes.is_private)}",
                "topic": "" if changes.topic is None else f"={changes.topic}",
            },
        )
        if outcome == "not_a_member":
            message = f"{changes.owner} is no member of {channel}: invite it first"
            raise InvalidFieldsError([FieldProblem(field="owner", message=message)])
        self._refuse(outcome, channel)
        return self._stored(channel)

    def delete(self, channel: ChannelId, viewer: Viewer) -> None:
        """Forget a channel with its history, for its owner. What was delivered stays delivered.

        Raises `ChannelNotFoundError`, `ForbiddenError`.
        """
        self._refuse(self._store.move("delete", channel, self._as_owner(channel, viewer)), channel)

    # --- members ----------------------------------------------------------------------------

    def join(self, channel: ChannelId, agent: AgentId, viewer: Viewer) -> Channel:
        """Have an agent join a public channel; to have joined already is as good.

        Raises `ChannelNotFoundError`, `UnknownAgentError`, `NotAMemberError`.
        """
        self.get(channel, viewer)
        return self._join(channel, agent, _NOBODY)

    def invite(self, channel: ChannelId, agent: AgentId, viewer: Viewer) -> Channel:
        """Make an agent a member, for a member: the only way into a private channel.

        Raises as `join` does.
        """
        self.get(channel, viewer)
        by = _ANYBODY
        if viewer is not None:
            ours = self._members.among(channel, sorted(viewer))
            if not ours:
                raise NotAMemberError(f"Only members of {channel} and operators may invite to it.")
            by = {"by": ours[0].agent, "by_since": ours[0].since}
        return self._join(channel, agent, by)

    def _join(self, channel: ChannelId, agent: AgentId, by: dict[str, Argument]) -> Channel:
        since = self._registered(agent, field="agent_id")
        outcome = self._store.move("join", channel, {"agent_id": agent, "since": since, **by})
        if outcome == "private":
            raise NotAMemberError(f"Channel {channel} is private: a member must invite {agent}.")
        self._refuse(outcome, channel)
        return self._stored(channel)

    def leave(self, channel: ChannelId, agent: AgentId, viewer: Viewer) -> None:
        """Have an agent leave; to have left already is as good.

        Raises `ChannelNotFoundError`; `ConflictError` for the owner.
        """
        self.get(channel, viewer)
        self._leave(channel, agent, _NOBODY)

    def remove(self, channel: ChannelId, agent: AgentId, viewer: Viewer) -> None:
        """End an agent's membership, for the channel's owner or the agent itself.

        Raises `ChannelNotFoundError`, `ForbiddenError`; `ConflictError` for the owner.
        """
        is_itself = viewer is None or agent in viewer
        self.get(channel, viewer)
        self._leave(channel, agent, _NOBODY if is_itself else self._as_owner(channel, viewer))

    def _leave(self, channel: ChannelId, agent: AgentId, by: dict[str, Argument]) -> None:
        since = self._members.registered_at(agent)
        outcome = self._store.move(
            "leave", channel, {"agent_id": agent, "since": "" if since is None else since, **by}
        )
        if outcome == "owner":
            raise ConflictError(
                f"{agent} is the owner of {channel}. Make another member the owner first, "
                "or delete the channel."
            )
        self._refuse(outcome, channel)

    def members(
        self, channel: ChannelId, viewer: Viewer, *, limit: int, after: Member | None = None
    ) -> tuple[list[Member], Member | None]:
        """The members in the order of their registration, and where to go on.

        Raises `ChannelNotFoundError`.
        """
        self.get(channel, viewer)
        found: list[Member] = []
        while True:
            page = self._store.page(channel, after, limit + 1)
            found += self._members.present(channel, page)
            if len(found) > limit:
                return found[:limit], found[limit - 1]
            if len(page) <= limit:
                return found, None
            after = page[-1]

    def history(
        self, channel: ChannelId, viewer: Viewer, *, limit: int, before: MessageId | None = None
    ) -> tuple[list[Message], MessageId | None]:
        """What was posted, the newest messages in order, and where the ones before begin.

        Whoever may see the channel sees all of it, whenever it joined. Raises
        `ChannelNotFoundError`.
        """
        found = self.get(channel, viewer)
        return self._conversations.history(
            of_channel(channel), limit=limit, before=before, since=found.created_at
        )

    # --- the rest ---------------------------------------------------------------------------

    def _stored(self, channel: ChannelId) -> Channel:
        found = self._store.read([channel])[0]
        if found is None:
            raise _unknown(channel)
        return found

    def _registered(self, agent: AgentId, *, field: str) -> int:
        since = self._members.registered_at(agent)
        if since is None:
            raise UnknownAgentError([agent], self._near_names(agent), field=field)
        return since

    def _as_owner(self, channel: ChannelId, viewer: Viewer) -> dict[str, Argument]:
        """As whom a viewer changes a channel; who may not see it is not told that it exists."""
        found = self.get(channel, viewer)
        if viewer is None:
            return _NOBODY
        if found.owner is not None and found.owner in viewer:
            since = self._members.registered_at(found.owner)
            return {"by": found.owner, "by_since": "" if since is None else since}
        raise _not_the_owner(channel)

    def _refuse(self, outcome: str, channel: ChannelId) -> None:
        match outcome:
            case "unknown":
                raise _unknown(channel)
            case "not_the_owner":
                raise _not_the_owner(channel)
            case "not_a_member":
                raise NotAMemberError(f"Only members of {channel} and operators may invite to it.")


def _unknown(channel: ChannelId) -> ChannelNotFoundError:
    return ChannelNotFoundError(f"There is no channel {channel}, or it is not yours to see.")


def _not_the_owner(channel: ChannelId) -> ForbiddenError:
    return ForbiddenError(f"Only the owner of {channel} and operators may do that.")
