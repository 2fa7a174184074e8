"""Channels in Redis: transitions and reads of one, all of it in one partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.kernel.ids import AgentId, ChannelId, Partition
from broker.messaging.conversation import of_channel
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Argument, Script

_LUA: Final = Path(__file__).parent / "lua"
_MOVES: Final = ("create", "change", "delete", "join", "leave")
_EVICTED: Final = 500
_FIELDS: Final = ("owner", "private", "topic", "created_at", "version")


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A channel; `created_at` in ms. Without an owner it is the operators' to change.

    `version` rises with every change, `size` is how many joined, some of whom may be deleted.
    """

    id: ChannelId
    owner: AgentId | None
    is_private: bool
    topic: str | None
    created_at: int
    version: int
    size: int


@dataclass(frozen=True, kw_only=True)
class Member:
    """A member, and when (ms) it had registered: another agent of that id would be another one."""

    agent: AgentId
    since: int


class ChannelStore:
    """Transitions of channels; each is one file `routing/lua/*_channel.lua`."""

    def __init__(self, redis: Redis, keys: Keys, *, activity_cap: int) -> None:
        self.redis = redis
        self.keys = keys
        self._activity_cap = activity_cap
        self._moves = {name: Script.load(_LUA, f"{name}_channel") for name in _MOVES}
        self._evict = Script.load(_LUA, "evict_from_channel")

    def move(self, name: str, channel: ChannelId, args: Mapping[str, Argument]) -> str:
        """Carry out a transition of one channel; its outcome."""
        script = self._moves[name]
        keys = self._keys_of(channel)
        return self.redis.call(
            script.bind(
                keys={name: keys[name] for name in script.key_names},
                args={"channel_id": channel, "activity_cap": self._activity_cap, **args},
            )
        ).name

    def evict(self, channel: ChannelId, members: Sequence[Member]) -> None:
        """End memberships of agents that are no longer who they were when they joined."""
        keys = self._keys_of(channel)
        self.redis.call_many(
            [
                self._evict.bind(
                    keys={name: keys[name] for name in self._evict.key_names},
                    args={"channel_id": channel, "activity_cap": self._activity_cap},
                    more_args=[
                        part
                        for one in members[start : start + _EVICTED]
                        for part in (one.agent, one.since)
                    ],
                )
                for start in range(0, len(members), _EVICTED)
            ]
        )

    def _keys_of(self, channel: ChannelId) -> dict[str, str]:
        partition = self.keys.partition_of_channel(channel)
        return {
            "channel": self.keys.channel(channel),
            "members": self.keys.channel_members(channel),
            "channels": self.keys.channels(partition),
            "conversation": self.keys.conversation(of_channel(channel)),
            "counters": self.keys.counters(partition),
            "activity": self.keys.activity(partition),
        }

    # --- reads ------------------------------------------------------------------------------

    def read(self, channels: Sequence[ChannelId]) -> list[Channel | None]:
        """These channels, None where there is none; one trip for all."""
        found = self.redis.commands(
            [
                command
                for channel in channels
                for command in (
                    ("HMGET", self.keys.channel(channel), *_FIELDS),
                    ("ZCARD", self.keys.channel_members(channel)),
                )
            ]
        )
        return [
            _channel(one, found[2 * index], found[2 * index + 1])
            for index, one in enumerate(channels)
        ]

    def names(self) -> list[ChannelId]:
        """The ids of all channels, sorted; one trip."""
        found = self.redis.commands(
            [
                ("ZRANGE", self.keys.channels(Partition(number)), 0, -1)
                for number in self.keys.all_partitions()
            ]
        )
        return sorted(ChannelId(name.decode()) for names in found for name in names)

    def since(self, pairs: Sequence[tuple[ChannelId, AgentId]]) -> list[int | None]:
        """With which time of registration each agent is a member, None if it is not one."""
        found = self.redis.commands(
            [("ZSCORE", self.keys.channel_members(channel), agent) for channel, agent in pairs]
        )
        return [None if score is None else int(float(score)) for score in found]

    def members(self, channel: ChannelId) -> list[Member]:
        """All members; tens of thousands take one trip of a few milliseconds."""
        return _members(
            self.redis.command("ZRANGE", self.keys.channel_members(channel), 0, -1, "WITHSCORES")
        )

    def page(self, channel: ChannelId, after: Member | None, limit: int) -> list[Member]:
        """The next members behind `after`, in the order of their registration."""
        found: list[Member] = []
        start = 0
        while True:
            entries = _members(
                self.redis.command(
                    "ZRANGEBYSCORE",
                    self.keys.channel_members(channel),
                    "-inf" if after is None else after.since,
                    "+inf",
                    "WITHSCORES",
                    "LIMIT",
                    start,
                    limit,
                )
            )
            found += [
                one
                for one in entries
                if after is None or (one.since, one.agent) > (after.since, after.agent)
            ]
            if len(found) >= limit or len(entries) < limit:
                return found[:limit]
            start += limit


def _members(entries: Sequence[bytes]) -> list[Member]:
    return [
        Member(agent=AgentId(name.decode()), since=int(float(score)))
        for name, score in zip(entries[::2], entries[1::2], strict=True)
    ]


def _channel(identifier: ChannelId, fields: Sequence[bytes | None], size: int) -> Channel | None:
    owner, private, topic, created_at, version = fields
    if owner is None or topic is None or created_at is None or version is None:
        return None
    return Channel(
        id=identifier,
        owner=AgentId(owner.decode()) if owner else None,
        is_private=private == b"1",
        topic=topic.decode() or None,
        created_at=int(created_at),
        version=int(version),
        size=size,
    )
