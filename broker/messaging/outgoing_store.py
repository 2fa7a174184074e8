"""The sender's side in Redis: what a message meets before it is stored, storing and taking back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from broker.kernel.ids import AgentId, MessageId, Partition
from broker.kernel.priority import order_base
from broker.messaging.message import Envelope, Message, Unpacked, encode, pack, unpack
from broker.messaging.policy import MessagePolicy
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Argument, Call, Outcome, Script, whole

_LUA: Final = Path(__file__).parent / "lua"
_SCRIPTS: Final = ("admission", "enqueue", "withdraw_unrouted")
_BELL_MS: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Admission:
    """What a recipient's inbox says before a message for it is accepted."""

    agent_id: AgentId
    registered: bool
    depth: int
    arrived: int
    max_depth: int
    on_full: str


@dataclass(frozen=True, kw_only=True)
class Outgoing:
    """A message about to be stored, with what the transition must check for it."""

    message: Message
    due_at: int | None
    idempotency_key: str | None
    fingerprint: str
    epoch: int | None
    recipients: tuple[Admission, ...]
    superseded: Envelope | None


@dataclass(frozen=True, kw_only=True)
class Acceptance:
    """New messages as acceptance.lua takes them."""

    keys: Mapping[str, str]
    args: Mapping[str, Argument]
    more_keys: Sequence[str]
    more_args: Sequence[Argument]

    def by(
        self,
        script: Script,
        *,
        keys: Mapping[str, str] = MappingProxyType({}),
        args: Mapping[str, Argument] = MappingProxyType({}),
    ) -> Call:
        """A call of a script that accepts them and takes these keys and arguments beside."""
        return script.bind(
            keys={**self.keys, **keys},
            args={**self.args, **args},
            more_keys=self.more_keys,
            more_args=self.more_args,
        )


class OutgoingStore:
    """Transitions of messages that stand in no inbox yet; each is one file of `messaging/lua`."""

    def __init__(self, redis: Redis, keys: Keys, policy: MessagePolicy) -> None:
        self.redis = redis
        self.keys = keys
        self._policy = policy
        self._scripts = {name: Script.load(_LUA, name) for name in _SCRIPTS}

    def admissions(self, sender_partition: Partition, agents: Sequence[AgentId]) -> list[Admission]:
        """What the inboxes of these agents say; one trip for all."""
        script = self._scripts["admission"]
        outcomes = self.redis.call_many(
            [
                script.bind(
                    keys={
                        "agent": self.keys.agent(agent),
                        "deliveries": self.keys.deliveries(agent),
                        "arrived": self.keys.arrived(agent),
                    },
                    args={"sender_partition": sender_partition},
                )
                for agent in agents
            ]
        )
        return [
            Admission(
                agent_id=agent,
                registered=outcome.name == "known",
                depth=whole(outcome.values[0]),
                arrived=whole(outcome.values[1]),
                max_depth=whole(outcome.values[2] or self._policy.max_depth),
                on_full=_text(outcome.values[3]) or "reject",
            )
            for agent, outcome in zip(agents, outcomes, strict=True)
        ]

    def enqueue(
        self, partition: Partition, outgoing: Sequence[Outgoing], now_ms: int
    ) -> tuple[bool, list[list[Any]]]:
        """Store messages of senders of one partition; whether to ring, and a verdict an item."""
        acceptance = self.acceptance(partition, outgoing, now_ms)
        return accepted(self.redis.call(acceptance.by(self._scripts["enqueue"])))

    def acceptance(
        self, partition: Partition, outgoing: Sequence[Outgoing], now_ms: int
    ) -> Acceptance:
        """What a script that accepts these messages is called with."""
        records = [self.keys.message(one.message.id) for one in outgoing]
        more_keys: list[str] = []
        items: list[list[Any]] = []
        for one, record in zip(outgoing, records, strict=True):
            item = self._outgoing_item(one, now_ms)
            if one.idempotency_key or one.epoch or one.superseded:
                more_keys += (
                    self.keys.idempotency(one.message.sender, one.idempotency_key)
                    if one.idempotency_key
                    else record,
                    self.keys.agent(one.message.sender),
                    self.keys.verdict(one.superseded.id) if one.superseded else record,
                )
                item.append(len(more_keys) // 3)
            else:
                item.append(0)
            items.append(item)
        return Acceptance(
            keys={
                "ingress": self.keys.ingress(partition),
                "delayed": self.keys.delayed(partition),
                "sequence": self.keys.sequence(partition),
                "history": self.keys.history(partition),
                "sent": self.keys.sent(partition),
                "bell": self.keys.bell(partition),
                "drainer": self.keys.drainer(partition),
                "taken": self.keys.taken(partition),
                "counters": self.keys.counters(partition),
                "activity": self.keys.activity(partition),
            },
            args={
                "bell_ms": _BELL_MS,
                "activity_cap": self._policy.activity_cap,
                "packed_items": pack(items),
            },
            more_keys=[*records, *more_keys],
            more_args=[encode(one.message) for one in outgoing],
        )

    def _outgoing_item(self, one: Outgoing, now_ms: int) -> list[Any]:
        """In the order of acceptance.lua; what it needs more keys for comes last."""
        message = one.message
        return [
            message.id,
            order_base(message.priority),
            one.due_at or 0,
            self._policy.record_ms(message.expires_at - now_ms),
            one.fingerprint if one.idempotency_key else "",
            self._policy.idempotency_ms,
            one.epoch or 0,
            message.created_at,
            [
                [
                    admission.agent_id,
                    admission.depth,
                    admission.arrived,
                    admission.max_depth if admission.on_full in {"reject", "block"} else 0,
                ]
                for admission in one.recipients
            ],
            self._unrouted(one.superseded, now_ms) if one.superseded else False,
        ]

    def _unrouted(self, envelope: Envelope, now_ms: int) -> list[Any]:
        return [
            envelope.id,
            order_base(envelope.priority),
            envelope.promised,
            self._policy.record_ms(envelope.expires_at - now_ms),
        ]

    def withdraw_unrouted(self, envelope: Envelope, verdict: str, now_ms: int) -> str:
        """Take back a message that stands in no inbox yet: withdrawn, in_flight or absent."""
        partition = self.keys.partition_of(envelope.id)
        return self.redis.call(
            self._scripts["withdraw_unrouted"].bind(
                keys={
                    "ingress": self.keys.ingress(partition),
                    "delayed": self.keys.delayed(partition),
                    "sent": self.keys.sent(partition),
                    "taken": self.keys.taken(partition),
                    "verdict_key": self.keys.verdict(envelope.id),
                    "counters": self.keys.counters(partition),
                    "activity": self.keys.activity(partition),
                },
                args={
                    "packed_message": pack(self._unrouted(envelope, now_ms)),
                    "verdict": verdict,
                    "activity_cap": self._policy.activity_cap,
                },
            )
        ).name

    def idempotent_first(self, sender: AgentId, key: str) -> tuple[MessageId, str] | None:
        """The message and fingerprint that a sender's idempotency key already stands for."""
        found = self.redis.command("GET", self.keys.idempotency(sender, key))
        if not found:
            return None
        identifier, fingerprint = found.decode().split(" ")
        return MessageId(identifier), fingerprint

    def join_thread(self, message: Message) -> None:
        """Put a message into its conversation; it is found there once its record is stored."""
        key = self.keys.thread(message.thread)
        lifetime_ms = self._policy.record_ms(message.expires_at - message.created_at)
        self.redis.commands(
            [
                ("ZADD", key, message.created_at, message.id),
                ("PEXPIRE", key, lifetime_ms, "NX"),
                ("PEXPIRE", key, lifetime_ms, "GT"),
            ]
        )


def accepted(outcome: Outcome) -> tuple[bool, list[list[Any]]]:
    """What a script that accepts messages gave: whether to ring, and a verdict an item."""
    ring, packed = outcome.values
    return bool(ring), _unpacked(packed)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _unpacked(value: object) -> Unpacked:
    if not isinstance(value, bytes):
        raise TypeError(value)
    return unpack(value)
