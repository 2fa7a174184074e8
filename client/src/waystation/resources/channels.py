"""Channels and their members (SPEC R5); to post to one is to send to `channel:<id>`."""

from __future__ import annotations

from typing import TypedDict, Unpack

from waystation.answers import Channel, ChannelHistory, Channels, Members
from waystation.blocking import Blocking, blocking
from waystation.resources.resource import AsyncResource
from waystation.transport import Call, at, given


class ChannelChanges(TypedDict, total=False):
    """What changes of a channel; to leave a field out leaves it as it is."""

    owner: str
    private: bool
    topic: str | None


class AsyncChannels(AsyncResource):
    """Making, finding and managing channels, joining and reading them.

    A private channel that the caller is not in is answered as if it were not there.
    """

    async def create(
        self,
        channel_id: str,
        *,
        owner: str,
        private: bool | None = None,
        topic: str | None = None,
    ) -> Channel:
        """Make a channel, whose owner is its first member; the same again finds the first one.

        Raises `ConflictError` where there is another of this id, `UnknownAgentError` for the owner.
        """
        body = given(id=channel_id, owner=owner, private=private, topic=topic)
        call = Call(method="POST", path=at("channels"), body=body)
        return await self._transport.ask(call, Channel)

    async def list(
        self, *, member: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Channels:
        """A page of the channels that the caller may see, in the order of their ids."""
        query = given(member=member, limit=limit, cursor=cursor)
        call = Call(method="GET", path=at("channels"), query=query)
        return await self._transport.ask(call, Channels)

    async def get(self, channel_id: str) -> Channel:
        """Show a channel. Raises `ChannelNotFoundError`."""
        return await self._transport.ask(
            Call(method="GET", path=at("channels", channel_id)), Channel
        )

    async def update(self, channel_id: str, **changes: Unpack[ChannelChanges]) -> Channel:
        """Change a channel's topic (None clears it), privacy or owner, as its owner."""
        call = Call(method="PATCH", path=at("channels", channel_id), body=changes)
        return await self._transport.ask(call, Channel)

    async def delete(self, channel_id: str) -> None:
        """Forget a channel with its history; what reached its members stays in their inboxes."""
        await self._transport.ask(Call(method="DELETE", path=at("channels", channel_id)))

    async def history(
        self, channel_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> ChannelHistory:
        """The newest messages of a channel, oldest first; the cursor leads to those before."""
        query = given(limit=limit, cursor=cursor)
        call = Call(method="GET", path=at("channels", channel_id, "messages"), query=query)
        return await self._transport.ask(call, ChannelHistory)

    # --- membership ----------------------------------------------------------------------------

    async def join(self, channel_id: str, *, agent_id: str) -> Channel:
        """Join a public channel; into a private one a member has to invite."""
        call = Call(
            method="POST", path=at("channels", channel_id, "join"), body={"agent_id": agent_id}
        )
        return await self._transport.ask(call, Channel)

    async def leave(self, channel_id: str, *, agent_id: str) -> None:
        """Leave a channel. Raises `ConflictError` for its owner."""
        call = Call(
            method="POST", path=at("channels", channel_id, "leave"), body={"agent_id": agent_id}
        )
        await self._transport.ask(call)

    async def members(
        self, channel_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Members:
        """A page of a channel's members, in the order in which they registered."""
        query = given(limit=limit, cursor=cursor)
        call = Call(method="GET", path=at("channels", channel_id, "members"), query=query)
        return await self._transport.ask(call, Members)

    async def invite(self, channel_id: str, *, agent_id: str) -> Channel:
        """Make an agent a member, on behalf of one. Raises `UnknownAgentError`."""
        call = Call(
            method="POST", path=at("channels", channel_id, "members"), body={"agent_id": agent_id}
        )
        return await self._transport.ask(call, Channel)

    async def remove(self, channel_id: str, *, agent_id: str) -> None:
        """End an agent's membership, as the channel's owner or the agent itself."""
        await self._transport.ask(
            Call(method="DELETE", path=at("channels", channel_id, "members", agent_id))
        )


class BlockingChannels(Blocking[AsyncChannels]):
    """The blocking twin of `AsyncChannels`."""

    create = blocking(AsyncChannels.create)
    list = blocking(AsyncChannels.list)
    get = blocking(AsyncChannels.get)
    update = blocking(AsyncChannels.update)
    delete = blocking(AsyncChannels.delete)
    history = blocking(AsyncChannels.history)
    join = blocking(AsyncChannels.join)
    leave = blocking(AsyncChannels.leave)
    members = blocking(AsyncChannels.members)
    invite = blocking(AsyncChannels.invite)
    remove = blocking(AsyncChannels.remove)
