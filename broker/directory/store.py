"""The directory's access to Redis: transitions and reads of agents, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from broker.kernel.ids import AgentId, Partition
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Argument, Outcome, Script

_LUA: Final = Path(__file__).parent / "lua"
_READ: Final = 1_000


class AgentStore:
    """Transitions of agents; each is one Lua file of `directory/lua`."""

    def __init__(self, redis: Redis, keys: Keys, *, activity_cap: int) -> None:
        self._redis = redis
        self._keys = keys
        self._activity_cap = activity_cap
        self._scripts = {path.stem: Script.load(_LUA, path.stem) for path in _LUA.glob("*.lua")}

    def move(self, name: str, agent: AgentId, args: Mapping[str, Argument]) -> Outcome:
        """Carry out a transition of one agent."""
        script = self._scripts[name]
        keys, arguments = self.named(agent, args)
        return self._redis.call(
            script.bind(
                keys={name: keys[name] for name in script.key_names},
                args={name: arguments[name] for name in script.argument_names},
            )
        )

    def named(
        self, agent: AgentId, args: Mapping[str, Argument]
    ) -> tuple[Mapping[str, str], Mapping[str, Argument]]:
        """The keys and arguments of an agent's transitions, by their names in the scripts."""
        partition = self._keys.partition_for(agent)
        return {
            "agent": self._keys.agent(agent),
            "agents": self._keys.agents(partition),
            "heartbeats": self._keys.heartbeats(partition),
            "unseen": self._keys.unseen(partition),
            "departed": self._keys.departed(partition),
            "roll_version": self._keys.roll_version(partition),
            "counters": self._keys.counters(partition),
            "activity": self._keys.activity(partition),
        }, {"agent_id": agent, "activity_cap": self._activity_cap, **args}

    def read(self, agents: Sequence[AgentId]) -> list[dict[str, str]]:
        """The fields of these agents; empty where one is not registered. One trip for all."""
        found = self._redis.commands([("HGETALL", self._keys.agent(agent)) for agent in agents])
        return [_fields(reply) for reply in found]

    def registered_at(self, agents: Sequence[AgentId]) -> list[int | None]:
        """When (ms) each of these agents registered; None where one is not. One trip for all."""
        found = self._redis.commands(
            [("HGET", self._keys.agent(agent), "registered_at") for agent in agents]
        )
        return [None if since is None else int(since) for since in found]

    def names(self) -> list[AgentId]:
        """The ids of all registered agents, sorted; one trip."""
        found = self._redis.commands(
            [
                ("ZRANGE", self._keys.agents(Partition(number)), 0, -1)
                for number in self._keys.all_partitions()
            ]
        )
        return sorted(AgentId(name.decode()) for names in found for name in names)

    def roll_versions(self) -> list[bytes | None]:
        """The version of each partition's part of the roll; one trip."""
        return self._redis.commands(
            [
                ("GET", self._keys.roll_version(Partition(number)))
                for number in self._keys.all_partitions()
            ]
        )

    def enrolled(
        self, partitions: Sequence[Partition]
    ) -> Iterator[tuple[Partition, AgentId, bytes, int, int | None]]:
        """The agents of these partitions: profile (JSON), since when in ms, limit of the inbox.

        Read some at a time: one that is deleted meanwhile is left out.
        """
        found = self._redis.commands(
            [("ZRANGE", self._keys.agents(partition), 0, -1) for partition in partitions]
        )
        listed = [
            (partition, AgentId(name.decode()))
            for partition, names in zip(partitions, found, strict=True)
            for name in names
        ]
        for start in range(0, len(listed), _READ):
            some = listed[start : start + _READ]
            fields = ("profile", "registered_at", "max_depth")
            replies = self._redis.commands(
                [("HMGET", self._keys.agent(agent), *fields) for _, agent in some]
            )
            for (partition, agent), (profile, since, max_depth) in zip(some, replies, strict=True):
                if profile is not None:
                    limit = None if max_depth is None else int(max_depth)
                    yield partition, agent, profile, int(since or 0), limit

    def silent_since(self, moment_ms: int) -> list[AgentId]:
        """Agents that count as present, but gave no sign of life since then."""
        found = self._redis.commands(
            [
                ("ZRANGEBYSCORE", self._keys.heartbeats(Partition(number)), "-inf", moment_ms)
                for number in self._keys.all_partitions()
            ]
        )
        return [AgentId(name.decode()) for names in found for name in names]


def _fields(reply: object) -> dict[str, str]:
    if isinstance(reply, dict):
        return {name.decode(): value.decode() for name, value in reply.items()}
    if isinstance(reply, list):
        texts = [part.decode() for part in reply]
        return dict(zip(texts[::2], texts[1::2], strict=True))
    raise TypeError(reply)
