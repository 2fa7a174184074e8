"""Channels: making, joining, reading and managing them (SPEC R5); to post is to send."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint
from flask import Response

from app.access import (
    AS_BODY_AGENT,
    AS_OWNER,
    IN_CHANNEL,
    ITS_MEMBERS,
    ITS_OWNER,
    VISIBLE_OF_ALL,
    viewer,
)
from app.context import broker
from app.json_document import answer
from app.rest.operation import operation
from app.schemas.channels import (
    CHANNEL,
    CHANNEL_PATCH,
    FIND_CHANNELS,
    FIND_MEMBERS,
    PARTICIPANT,
    ChannelHistoryView,
    ChannelsView,
    ChannelView,
    FindChannels,
    FindMembers,
    MembersView,
    Participant,
    channel_view,
    members_view,
)
from app.schemas.lists import BACK, Back
from app.schemas.messages import contents
from broker.kernel.ids import AgentId, ChannelId
from broker.routing.channels import Changes, Definition

channels = APIBlueprint("channels", __name__)

_PARTICIPANT: Final = {"agent_id": "bob"}
_UNKNOWN: Final = "channel_not_found"


@channels.post("/channels")
@operation(
    "createChannel",
    access=AS_OWNER,
    body=CHANNEL,
    example={"id": "release", "owner": "alice", "topic": "what goes out when"},
    answers={201: ChannelView, 200: ChannelView},
    errors=("unknown_agent", "conflict"),
)
def create(body: Definition) -> Response:
    """Make a channel (201); the same asked for again finds the first one (200).

    Its owner is its first member. A private channel is there for its members alone.
    """
    channel, created = broker().channels.create(body)
    return answer(channel_view(channel), 201 if created else 200)


@channels.get("/channels")
@operation("findChannels", access=VISIBLE_OF_ALL, query=FIND_CHANNELS, answers={200: ChannelsView})
def find(query: FindChannels) -> Response:
    """List channels in the order of their ids."""
    found, cursor = broker().channels.find(
        viewer(), limit=query.limit, after=query.after, member=query.member
    )
    return answer(ChannelsView(channels=[channel_view(one) for one in found], cursor=cursor))


@channels.get("/channels/<channel_id>")
@operation("getChannel", access=IN_CHANNEL, answers={200: ChannelView}, errors=(_UNKNOWN,))
def get(channel_id: ChannelId) -> Response:
    """Show a channel."""
    return answer(channel_view(broker().channels.get(channel_id, viewer())))


@channels.patch("/channels/<channel_id>")
@operation(
    "changeChannel",
    access=ITS_OWNER,
    body=CHANNEL_PATCH,
    example={"topic": "what went out"},
    answers={200: ChannelView},
    errors=(_UNKNOWN, "unknown_agent"),
)
def patch(channel_id: ChannelId, body: Changes) -> Response:
    """Change a channel's topic, privacy or owner."""
    changed = broker().channels.change(channel_id, body, viewer())
    return answer(channel_view(changed))


@channels.delete("/channels/<channel_id>")
@operation("deleteChannel", access=ITS_OWNER, answers={204: None}, errors=(_UNKNOWN,))
def delete(channel_id: ChannelId) -> Response:
    """Forget a channel with its history; what reached its members stays in their inboxes."""
    broker().channels.delete(channel_id, viewer())
    return Response(status=204)


@channels.post("/channels/<channel_id>/join")
@operation(
    "joinChannel",
    access=AS_BODY_AGENT,
    body=PARTICIPANT,
    example=_PARTICIPANT,
    answers={200: ChannelView},
    errors=(_UNKNOWN, "unknown_agent", "not_a_member"),
)
def join(channel_id: ChannelId, body: Participant) -> Response:
    """Join a public channel; into a private one a member must invite."""
    joined = broker().channels.join(channel_id, body.agent_id, viewer())
    return answer(channel_view(joined))


@channels.post("/channels/<channel_id>/leave")
@operation(
    "leaveChannel",
    access=AS_BODY_AGENT,
    body=PARTICIPANT,
    example=_PARTICIPANT,
    answers={204: None},
    errors=(_UNKNOWN, "conflict"),
)
def leave(channel_id: ChannelId, body: Participant) -> Response:
    """Leave a channel; its owner can't."""
    broker().channels.leave(channel_id, body.agent_id, viewer())
    return Response(status=204)


@channels.get("/channels/<channel_id>/members")
@operation(
    "findMembers",
    access=IN_CHANNEL,
    query=FIND_MEMBERS,
    answers={200: MembersView},
    errors=(_UNKNOWN,),
)
def members(channel_id: ChannelId, query: FindMembers) -> Response:
    """List a channel's members, in the order in which they registered with the station."""
    found, last = broker().channels.members(
        channel_id, viewer(), limit=query.limit, after=query.after
    )
    return answer(members_view(found, last))


@channels.post("/channels/<channel_id>/members")
@operation(
    "inviteMember",
    access=ITS_MEMBERS,
    body=PARTICIPANT,
    example=_PARTICIPANT,
    answers={200: ChannelView},
    errors=(_UNKNOWN, "unknown_agent", "not_a_member"),
)
def invite(channel_id: ChannelId, body: Participant) -> Response:
    """Make an agent a member, on behalf of one."""
    joined = broker().channels.invite(channel_id, body.agent_id, viewer())
    return answer(channel_view(joined))


@channels.delete("/channels/<channel_id>/members/<agent_id>")
@operation(
    "removeMember",
    access=ITS_OWNER,
    answers={204: None},
    errors=(_UNKNOWN, "conflict"),
)
def remove(channel_id: ChannelId, agent_id: AgentId) -> Response:
    """End an agent's membership, as the channel's owner or the agent itself."""
    broker().channels.remove(channel_id, agent_id, viewer())
    return Response(status=204)


@channels.get("/channels/<channel_id>/messages")
@operation(
    "getChannelHistory",
    access=IN_CHANNEL,
    query=BACK,
    answers={200: ChannelHistoryView},
    errors=(_UNKNOWN,),
)
def history(channel_id: ChannelId, query: Back) -> Response:
    """Show what was posted to a channel: the newest messages, in order.

    The cursor leads to the page before. Whoever may see the channel sees all of it, whenever it
    joined.
    """
    found, cursor = broker().channels.history(
        channel_id, viewer(), limit=query.limit, before=query.before
    )
    return answer(ChannelHistoryView(messages=[contents(one) for one in found], cursor=cursor))
