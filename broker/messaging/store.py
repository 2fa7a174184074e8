"""The messaging context's access to Redis: its transitions and reads, by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from broker.kernel.ids import AgentId, MessageId, Partition
from broker.kernel.priority import order_base
from broker.messaging.message import Envelope, Message, Unpacked, decode, encode, pack, unpack
from broker.messaging.policy import MessagePolicy
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Argument, Call, Outcome, Script

_LUA: Final = Path(__file__).parent / "lua"
_BELL_MS: Final = 1000

# A clock that goes back by less than the step does no harm; the mark by which it is noticed is
# renewed this often; and so long may pass between noticing it and moving what depends on it.
_CLOCK_STEP_MS: Final = 2_000
_CLOCK_MARK_MS: Final = 5_000
_CLOCK_MARGIN_MS: Final = 60_000


@dataclass(frozen=True, kw_only=True)
class Admission:
    """What a recipient's inbox says before a message for it is accepted."""

    agent_id: AgentId
    registered: bool
    depth: int
    arrived: int
    max_depth: int
    on_full: str


class Due(NamedTuple):
    """How much has come due in a partition at `now` (server ms): see due.lua."""

    now: int
    alarms: int
    verdicts: int
    letters: int
    set_back: int


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


def read_records(redis: Redis, keys: Keys, ids: Sequence[MessageId]) -> list[bytes | None]:
    """The stored records of these messages, None where there is none.

    One trip for all, and in it one command a partition: a command can't span two.
    """
    positions: dict[Partition, list[int]] = defaultdict(list)
    for position, identifier in enumerate(ids):
        positions[keys.partition_of(identifier)].append(position)
    found = redis.commands(
        [("MGET", *(keys.message(ids[one]) for one in group)) for group in positions.values()]
    )
    records: list[bytes | None] = [None] * len(ids)
    for group, values in zip(positions.values(), found, strict=True):
        for position, value in zip(group, values, strict=True):
            records[position] = value
    return records


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


def inbox_keys(keys: Keys, agent: AgentId) -> dict[str, str]:
    """The keys that every move of an inbox names, whether or not it touches them."""
    partition = keys.partition_for(agent)
    return {
        "agent": keys.agent(agent),
        "inbox": keys.inbox(agent),
        "leased": keys.leased(agent),
        "waiting": keys.waiting(agent),
        "expiring": keys.expiring(agent),
        "deliveries": keys.deliveries(agent),
        "receipts": keys.receipts(agent),
        "leaving": keys.leaving(agent),
        "alarms": keys.alarms(partition),
        "concluded": keys.concluded(partition),
        "dead_letters": keys.dead_letters(partition),
        "dead_index": keys.dead_index(partition),
        "dead_due": keys.dead_due(partition),
        "sequence": keys.sequence(partition),
        "counters": keys.counters(partition),
        "activity": keys.activity(partition),
        "heartbeats": keys.heartbeats(partition),
    }


def policy_argument(keys: Keys, policy: MessagePolicy, partition: Partition) -> bytes:
    """The `policy_packed` of inbox.lua."""
    return pack(
        {
            "activity_cap": policy.activity_cap,
            "arrivals": keys.arrivals(partition),
            "dead_letter_max_retries": policy.dead_letter_max_retries,
            "dead_letter_retry_ms": policy.dead_letter_retry_ms,
            "partition": partition,
            "retry_max_delay_ms": policy.retry_max_delay_ms,
        }
    )


class MessageStore:
    """Transitions of messages and inboxes; each is one Lua file of `messaging/lua`."""

    def __init__(self, redis: Redis, keys: Keys, policy: MessagePolicy) -> None:
        self.redis = redis
        self.keys = keys
        self._policy = policy
        self._policies = [
            policy_argument(keys, policy, Partition(number)) for number in keys.all_partitions()
        ]
        self._scripts = {path.stem: Script.load(_LUA, path.stem) for path in _LUA.glob("*.lua")}

    # --- the recipient's side ---------------------------------------------------------------

    def inbox_call(
        self,
        name: str,
        agent: AgentId,
        args: Mapping[str, Argument],
        more_args: Sequence[Argument] = (),
    ) -> Call:
        """A move of one agent's inbox."""
        partition = self.keys.partition_for(agent)
        return self._scripts[name].bind(
            keys=inbox_keys(self.keys, agent),
            args={"agent_id": agent, "policy_packed": self._policies[partition], **args},
            more_args=more_args,
        )

    def inbox_move(
        self,
        name: str,
        agent: AgentId,
        args: Mapping[str, Argument],
        more_args: Sequence[Argument] = (),
    ) -> Outcome:
        """Carry out a move of one agent's inbox."""
        return self.redis.call(self.inbox_call(name, agent, args, more_args))

    def deliveries(self, pairs: Sequence[tuple[MessageId, AgentId]]) -> list[bytes | None]:
        """The packed delivery of each pair, unfinished or finished; None if it never arrived."""
        found = self.redis.commands(
            [
                command
                for message, agent in pairs
                for command in (
                    ("HGET", self.keys.deliveries(agent), message),
                    ("HGET", self.keys.receipts(agent), message),
                )
            ]
        )
        return [found[index] or found[index + 1] for index in range(0, len(found), 2)]

    def due_agents(self, partition: Partition, now_ms: int, limit: int) -> list[AgentId]:
        """Agents of a partition in whose inbox something has come due."""
        names = self.redis.command(
            "ZRANGEBYSCORE", self.keys.alarms(partition), "-inf", now_ms, "LIMIT", 0, limit
        )
        return [AgentId(name.decode()) for name in names]

    # --- the sender's side ------------------------------------------------------------------

    def records(self, ids: Sequence[MessageId]) -> list[Message | None]:
        """The records of these messages, None where there is none; one trip for all."""
        return [
            decode(record) if record else None
            for record in read_records(self.redis, self.keys, ids)
        ]

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
                depth=_int(outcome.values[0]),
                arrived=_int(outcome.values[1]),
                max_depth=_int(outcome.values[2] or self._policy.max_depth),
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
            envelope.to,
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

    def join_thread(self, message: Message, lifetime_ms: int) -> None:
        """Put a message into its conversation; it is found there once its record is stored."""
        key = self.keys.thread(message.thread)
        self.redis.commands(
            [
                ("ZADD", key, message.created_at, message.id),
                ("PEXPIRE", key, lifetime_ms, "NX"),
                ("PEXPIRE", key, lifetime_ms, "GT"),
            ]
        )

    def due(self) -> dict[Partition, Due]:
        """The partitions in which there is something for a sweep to do; one trip for all."""
        partitions = [Partition(number) for number in self.keys.all_partitions()]
        outcomes = self.redis.call_many(
            [
                self._scripts["due"].bind(
                    keys={
                        "alarms": self.keys.alarms(partition),
                        "concluded": self.keys.concluded(partition),
                        "dead_due": self.keys.dead_due(partition),
                        "swept_at": self.keys.swept_at(partition),
                        "set_back": self.keys.set_back(partition),
                    },
                    args={"step_ms": _CLOCK_STEP_MS, "mark_ms": _CLOCK_MARK_MS},
                )
                for partition in partitions
            ]
        )
        found = {
            partition: Due(*map(_int, outcome.values))
            for partition, outcome in zip(partitions, outcomes, strict=True)
        }
        return {partition: due for partition, due in found.items() if any(due[1:])}

    def shift(self, partition: Partition) -> None:
        """Let leases and waits follow the server's clock, which was set back."""
        key = self.keys.set_back(partition)
        names = self.redis.command("ZRANGE", key, 0, -1)
        self.redis.call_many(
            [
                self._scripts["shift"].bind(
                    keys={
                        "leased": self.keys.leased(agent),
                        "waiting": self.keys.waiting(agent),
                        "alarms": self.keys.alarms(partition),
                        "set_back": key,
                    },
                    args={"agent_id": agent, "margin_ms": _CLOCK_MARGIN_MS},
                )
                for agent in (AgentId(name.decode()) for name in names)
            ]
        )

    # --- between the two --------------------------------------------------------------------

    def concluded(self, partition: Partition, limit: int) -> list[str]:
        """Verdicts of a partition that the senders' side has yet to be told, oldest first."""
        entries = self.redis.command("ZRANGE", self.keys.concluded(partition), 0, limit - 1)
        return [entry.decode() for entry in entries]

    def conclude(self, verdicts: Sequence[tuple[MessageId, AgentId, int, bool]]) -> list[int]:
        """Tell the senders' side: message, recipient, retention in ms, whether that closes it.

        How many ms the record of each has left.
        """
        by_partition: dict[Partition, list[int]] = defaultdict(list)
        for index, (message, _, _, _) in enumerate(verdicts):
            by_partition[self.keys.partition_of(message)].append(index)
        outcomes = self.redis.call_many(
            [
                self._conclude_call([verdicts[index] for index in indexes])
                for indexes in by_partition.values()
            ]
        )
        left = [0] * len(verdicts)
        for indexes, outcome in zip(by_partition.values(), outcomes, strict=True):
            for index, value in zip(indexes, outcome.values, strict=True):
                left[index] = _int(value)
        return left

    def _conclude_call(self, verdicts: Sequence[tuple[MessageId, AgentId, int, bool]]) -> Call:
        return self._scripts["conclude"].bind(
            keys={},
            args={},
            more_keys=[
                key
                for message, _, _, _ in verdicts
                for key in (self.keys.message(message), self.keys.outstanding(message))
            ],
            more_args=[
                f"{agent} {retention_ms} {int(closed)}"
                for _, agent, retention_ms, closed in verdicts
            ],
        )

    def forget(self, partition: Partition, entries: Sequence[tuple[str, AgentId, int]]) -> None:
        """Strike entries off a partition's outbox, each with when its receipt leaves (in ms)."""
        self.redis.call(
            self._scripts["forget"].bind(
                keys={
                    "alarms": self.keys.alarms(partition),
                    "concluded": self.keys.concluded(partition),
                },
                args={},
                more_keys=[self.keys.leaving(agent) for _, agent, _ in entries],
                more_args=[f"{entry} {leaves_in}" for entry, _, leaves_in in entries],
            )
        )

    # --- dead letters -----------------------------------------------------------------------

    def trim_dead(self, partition: Partition, limit: int) -> int:
        """Let dead letters leave whose retention has passed; how many did."""
        outcome = self.redis.call(
            self._scripts["trim_dead"].bind(
                keys={
                    "dead_letters": self.keys.dead_letters(partition),
                    "dead_index": self.keys.dead_index(partition),
                    "dead_due": self.keys.dead_due(partition),
                },
                args={"retention_ms": self._policy.dead_letter_retention_ms, "limit": limit},
            )
        )
        return _int(outcome.values[0])


def accepted(outcome: Outcome) -> tuple[bool, list[list[Any]]]:
    """What a script that accepts messages gave: whether to ring, and a verdict an item."""
    ring, packed = outcome.values
    return bool(ring), _unpacked(packed)


def _int(value: object) -> int:
    return int(value) if isinstance(value, int | bytes | str) else 0


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _unpacked(value: object) -> Unpacked:
    if not isinstance(value, bytes):
        raise TypeError(value)
    return unpack(value)
