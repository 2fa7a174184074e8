"""Channels: as they are asked for, and as they are shown (SPEC R5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TypedDict

from app.schemas.fields import Flag, Line, agent_id_field, channel_id_field
from app.schemas.lists import TimedCursor, page_limit
from app.schemas.messages import ContentsView
from app.schemas.shape import QueryShape, Shape
from broker.kernel.clock import rfc3339
from broker.kernel.ids import AgentId, ChannelId
from broker.messaging.wire import Timestamp
from broker.routing.channel_store import Channel, Member
from broker.routing.channels import Changes, Definition

_PAGE: Final = 100
_TOPIC: Final = 500


class ChannelShape(Shape[Definition]):
    """A channel to be made."""

    id = channel_id_field(required=True)
    owner = agent_id_field(required=True, description="Its first member, who manages it.")
    is_private = Flag(
        data_key="private", description="Whether it is there for its members alone; false else."
    )
    topic = Line(_TOPIC, description="What it is about.")

    def build(self, values: dict[str, Any]) -> Definition:
        """The channel that is asked for."""
        return Definition(**values)


class ChannelPatchShape(Shape[Changes]):
    """What changes of a channel; a topic of null clears it."""

    keeps_null = True

    owner = agent_id_field(nullable=False, description="Another member, who then manages it.")
    is_private = Flag(data_key="private", nullable=False)
    topic = Line(_TOPIC)

    def build(self, values: dict[str, Any]) -> Changes:
        """The changes that are asked for."""
        if "topic" in values and values["topic"] is None:
            values["topic"] = ""
        return Changes(**values)


@dataclass(frozen=True, kw_only=True)
class Participant:
    """The agent that joins, leaves or is invited."""

    agent_id: AgentId


class ParticipantShape(Shape[Participant]):
    """Who joins, leaves or is invited."""

    agent_id = agent_id_field(required=True)

    def build(self, values: dict[str, Any]) -> Participant:
        """The agent."""
        return Participant(**values)


@dataclass(frozen=True, kw_only=True)
class FindChannels:
    """A page of the channels that are meant."""

    member: AgentId | None
    limit: int
    after: ChannelId | None


class FindChannelsShape(QueryShape[FindChannels]):
    """Which channels to list."""

    member = agent_id_field(description="Those that this agent is a member of.")
    limit = page_limit()
    after = channel_id_field(data_key="cursor", description="Go on behind this one.")

    def build(self, values: dict[str, Any]) -> FindChannels:
        """The page that is asked for."""
        return FindChannels(
            member=values.get("member"),
            limit=values.get("limit", _PAGE),
            after=values.get("after"),
        )


@dataclass(frozen=True, kw_only=True)
class FindMembers:
    """A page of a channel's members."""

    limit: int
    after: Member | None


class FindMembersShape(QueryShape[FindMembers]):
    """Which members to list."""

    limit = page_limit()
    cursor = TimedCursor()

    def build(self, values: dict[str, Any]) -> FindMembers:
        """The page that is asked for."""
        after = None
        if "cursor" in values:
            since, agent = TimedCursor.read(values["cursor"])
            after = Member(agent=agent, since=since)
        return FindMembers(limit=values.get("limit", _PAGE), after=after)


class ChannelView(TypedDict):
    """A channel; without an owner, since that one was deleted, operators manage it."""

    id: str
    owner: str | None
    private: bool
    topic: str | None
    members: int
    created_at: Timestamp


class ChannelsView(TypedDict):
    """A page of channels; the cursor is null at the end."""

    channels: list[ChannelView]
    cursor: str | None


class MemberView(TypedDict):
    """A member of a channel."""

    agent_id: str


class MembersView(TypedDict):
    """A page of members; the cursor is null at the end."""

    members: list[MemberView]
    cursor: str | None


class ChannelHistoryView(TypedDict):
    """A page of what was posted, in order; the cursor leads to what came before it."""

    messages: list[ContentsView]
    cursor: str | None


def channel_view(one: Channel) -> ChannelView:
    """A channel as callers see it."""
    return {
        "id": one.id,
        "owner": one.owner,
        "private": one.is_private,
        "topic": one.topic,
        "members": one.size,
        "created_at": rfc3339(one.created_at),
    }


def members_view(found: Iterable[Member], last: Member | None) -> MembersView:
    """A page of members."""
    return {
        "members": [{"agent_id": one.agent} for one in found],
        "cursor": None if last is None else TimedCursor.write(last.since, last.agent),
    }


CHANNEL: Final = ChannelShape()
CHANNEL_PATCH: Final = ChannelPatchShape()
PARTICIPANT: Final = ParticipantShape()
FIND_CHANNELS: Final = FindChannelsShape()
FIND_MEMBERS: Final = FindMembersShape()
