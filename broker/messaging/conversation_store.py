"""Conversations in Redis: which messages belong to one, and with whom an agent has one.

An id is put here before its record is stored, as in threads: whoever is killed between leaves an
id that stands for nothing, and nothing that was stored is missing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.kernel.ids import AgentId, MessageId, created_ms
from broker.messaging.conversation import ConversationName, conversations_of, is_direct
from broker.messaging.message import Envelope
from broker.messaging.policy import MessagePolicy
from broker.storage.connection import Command, Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Script

_LUA: Final = Path(__file__).parent / "lua"

KEPT: Final = 20_000
"""How many messages of a conversation are remembered, or conversations of an agent: the newest."""


@dataclass(frozen=True, kw_only=True)
class Counterpart:
    """Somebody with whom an agent has direct messages, and when (ms) the last one was sent."""

    other: AgentId
    last_at: int


def commands_to_join(
    keys: Keys, policy: MessagePolicy, messages: Iterable[Envelope]
) -> list[Command]:
    """What puts messages into their conversations; there until their records leave."""
    members: dict[str, dict[str, int]] = defaultdict(dict)
    lives: dict[str, int] = defaultdict(int)
    for message in messages:
        for key, member in _places(keys, message):
            members[key][member] = message.created_at
            lives[key] = max(lives[key], message.needed_until - message.created_at)
    commands: list[Command] = []
    for key, times in members.items():
        # A message may wait for its delivery as long as it may then live.
        oldest = max(times.values()) - policy.record_ms(2 * policy.max_ttl_ms)
        pairs = [part for member, at in times.items() for part in (at, member)]
        lifetime_ms = policy.record_ms(lives[key])
        commands += [
            ("ZADD", key, "GT", *pairs),
            ("PEXPIRE", key, lifetime_ms, "NX"),
            ("PEXPIRE", key, lifetime_ms, "GT"),
            ("ZREMRANGEBYSCORE", key, "-inf", f"({oldest}"),
            ("ZREMRANGEBYRANK", key, 0, -KEPT - 1),
        ]
    return commands


def commands_to_leave(keys: Keys, messages: Iterable[Envelope]) -> list[Command]:
    """What takes messages out of their conversations that were refused after all."""
    return [
        ("ZREM", keys.conversation(name), message.id)
        for message in messages
        for name in conversations_of(message)
    ]


def _places(keys: Keys, message: Envelope) -> Iterator[tuple[str, str]]:
    for name in conversations_of(message):
        yield keys.conversation(name), message.id
    if is_direct(message.channel):
        recipient = AgentId(message.to[0])
        yield keys.counterparts(message.sender), recipient
        yield keys.counterparts(recipient), message.sender


class ConversationStore:
    """Reads conversations, and strikes off what stands for nothing."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys
        self._strike_off = Script.load(_LUA, "strike_off_counterpart")

    def newest(self, names: Sequence[ConversationName], limit: int) -> list[list[MessageId]]:
        """The newest ids of each conversation, newest first; one trip for all."""
        found = self.redis.commands(
            [("ZREVRANGE", self.keys.conversation(name), 0, limit - 1) for name in names]
        )
        return [[MessageId(one.decode()) for one in ids] for ids in found]

    def newest_first(
        self, name: ConversationName, before: MessageId | None, page: int
    ) -> Iterator[list[MessageId]]:
        """The ids of a conversation, `page` at a time, from the one before `before` on."""
        highest: int | str = "+inf" if before is None else created_ms(before)
        last = None if before is None else (created_ms(before), before)
        start = 0
        while True:
            entries = self.redis.command(
                "ZREVRANGEBYSCORE",
                self.keys.conversation(name),
                highest,
                "-inf",
                "WITHSCORES",
                "LIMIT",
                start,
                page,
            )
            ids = []
            for member, score in zip(entries[::2], entries[1::2], strict=True):
                entry = (int(float(score)), MessageId(member.decode()))
                # What came meanwhile has moved the rest: nothing is given again.
                if last is None or entry < last:
                    last = entry
                    ids.append(entry[1])
            yield ids
            if len(entries) < 2 * page:
                return
            start += page

    def forget(self, name: ConversationName, ids: Sequence[MessageId]) -> None:
        """Strike messages off a conversation whose records are gone for good."""
        self.redis.command("ZREM", self.keys.conversation(name), *ids)

    def counterparts(
        self, agent: AgentId, before: Counterpart | None, limit: int
    ) -> list[Counterpart]:
        """With whom an agent has direct messages, the last first, behind `before`."""
        key = self.keys.counterparts(agent)
        found: list[Counterpart] = []
        start = 0
        while True:
            entries = self.redis.command(
                "ZREVRANGEBYSCORE",
                key,
                "+inf" if before is None else before.last_at,
                "-inf",
                "WITHSCORES",
                "LIMIT",
                start,
                limit,
            )
            for member, score in zip(entries[::2], entries[1::2], strict=True):
                one = Counterpart(other=AgentId(member.decode()), last_at=int(float(score)))
                if before is None or (one.last_at, one.other) < (before.last_at, before.other):
                    found.append(one)
            if len(found) >= limit or len(entries) < 2 * limit:
                return found[:limit]
            start += limit

    def strike_off(self, agent: AgentId, counterpart: Counterpart) -> None:
        """Forget that an agent has direct messages with somebody, unless there are newer ones."""
        self.redis.call(
            self._strike_off.bind(
                keys={"counterparts": self.keys.counterparts(agent)},
                args={"other": counterpart.other, "last_at": counterpart.last_at},
            )
        )
