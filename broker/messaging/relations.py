"""What messages belong to, in Redis: threads, conversations, and the tickets that they answer.

These lie in other partitions than the message itself, so a message is noted there before it is
stored: an index may name what was never stored, but never misses what was. Of a thread or a
conversation its reader passes over what has no record. A ticket must go on saying that it was
answered after the answer's own retention has passed: what was stored is noted as such by a second
step, which whoever reads the ticket makes up for where the first one died in between.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from broker.kernel.ids import AgentId, MessageId
from broker.messaging.conversation_store import commands_to_join, commands_to_leave
from broker.messaging.message import Envelope
from broker.messaging.policy import MessagePolicy
from broker.storage.connection import Command, Redis
from broker.storage.keys import Keys

MAX_REPLIES: Final = 1_000
"""So many replies of a ticket are looked at, the first ones."""


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A message, and the ticket that it answers if it does so."""

    message: Envelope
    ticket: Envelope | None = None


@dataclass(frozen=True, kw_only=True)
class NotedReply:
    """An entry of a ticket's replies; until it is `certain`, only its record tells if it is one.

    `at` is its acceptance in ms.
    """

    id: MessageId
    sender: AgentId
    at: int
    certain: bool


class Relations:
    """The indexes of threads, of conversations and of tickets' replies."""

    def __init__(self, redis: Redis, keys: Keys, policy: MessagePolicy) -> None:
        self._redis = redis
        self._keys = keys
        self._policy = policy

    def note(self, references: Sequence[Reference]) -> None:
        """Put messages where they belong, before they are stored; one trip for all, if any."""
        commands: list[Command] = []
        threads: dict[str, dict[str, int]] = defaultdict(dict)
        lives: dict[str, int] = defaultdict(int)
        for one in references:
            message = one.message
            if message.thread_id is not None:
                key = self._keys.thread(message.thread)
                threads[key][message.id] = message.created_at
                lives[key] = max(lives[key], message.expires_at - message.created_at)
            if one.ticket is not None:
                commands += self._noting(message, one.ticket, certain=False)
        for key, members in threads.items():
            pairs = [text for name, at in members.items() for text in (at, name)]
            commands.append(("ZADD", key, *pairs))
            commands += _living(key, self._policy.record_ms(lives[key]))
        commands += commands_to_join(self._keys, self._policy, [one.message for one in references])
        self._redis.commands(commands)

    def settle(self, stored: Iterable[Reference], refused: Iterable[Reference]) -> None:
        """Note what became of messages that `note` was told of; one trip, if any need be."""
        commands: list[Command] = []
        for one in stored:
            if one.ticket is not None:
                owed = self._keys.owed(one.message.sender)
                commands.append(("ZREM", owed, one.ticket.id))
                commands += self._noting(one.message, one.ticket, certain=True)
        for one in refused:
            commands += commands_to_leave(self._keys, [one.message])
            if one.ticket is not None:
                member = _member(one.message.id, one.message.sender)
                commands.append(("ZREM", self._keys.replies(one.ticket.id), member))
        self._redis.commands(commands)

    def replies(self, tickets: Sequence[MessageId]) -> list[list[NotedReply]]:
        """What is noted as replies of each ticket, first come first; one trip for all."""
        found = self._redis.commands(
            [
                command
                for ticket in tickets
                for command in (
                    _range("ZRANGEBYSCORE", self._keys.replies(ticket), "(0", "+inf"),
                    _range("ZREVRANGEBYSCORE", self._keys.replies(ticket), "(0", "-inf"),
                )
            ]
        )
        noted = [_noted(entries) for entries in found]
        return [
            sorted(noted[index] + noted[index + 1], key=lambda one: (one.at, one.id))
            for index in range(0, len(noted), 2)
        ]

    def confirm(self, ticket: Envelope, replies: Iterable[NotedReply]) -> None:
        """Note that the records of these replies were seen."""
        key = self._keys.replies(ticket.id)
        self._redis.commands(
            [("ZADD", key, "XX", one.at, _member(one.id, one.sender)) for one in replies]
        )

    def _noting(self, reply: Envelope, ticket: Envelope, *, certain: bool) -> list[Command]:
        key = self._keys.replies(ticket.id)
        score = reply.created_at if certain else -reply.created_at
        left = max(ticket.needed_until, reply.created_at) - reply.created_at
        return [
            ("ZADD", key, score, _member(reply.id, reply.sender)),
            *_living(key, self._policy.record_ms(left)),
        ]


def _living(key: str, lifetime_ms: int) -> list[Command]:
    """What makes a key last for so long at least."""
    return [("PEXPIRE", key, lifetime_ms, "NX"), ("PEXPIRE", key, lifetime_ms, "GT")]


def _range(command: str, key: str, first: str, last: str) -> Command:
    return (command, key, first, last, "WITHSCORES", "LIMIT", 0, MAX_REPLIES)


def _member(reply: MessageId, sender: AgentId) -> str:
    return f"{reply} {sender}"


def _noted(entries: Sequence[bytes]) -> list[NotedReply]:
    noted = []
    for member, score in zip(entries[::2], entries[1::2], strict=True):
        identifier, sender = member.decode().split(" ")
        at = int(float(score))
        noted.append(
            NotedReply(id=MessageId(identifier), sender=AgentId(sender), at=abs(at), certain=at > 0)
        )
    return noted
