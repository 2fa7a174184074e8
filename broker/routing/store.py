"""Routing's access to Redis: taking batches from ingress, committing them to inboxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from broker.kernel.ids import AgentId, MessageId, Partition
from broker.kernel.priority import order_base
from broker.messaging.inbox_store import inbox_keys, policy_argument
from broker.messaging.message import Envelope, decode_envelope, pack, unpack
from broker.messaging.policy import MessagePolicy
from broker.messaging.record_store import read_records
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Call, Outcome, Script

_LUA: Final = Path(__file__).parent / "lua"

# How long a drainer may hold a partition without a sign of life; half of the five seconds in which
# the station recovers from its death.
_HOLD_MS: Final = 2_500

# An empty name says that nobody is meant, which is not the same as not yet known.
_NOBODY: Final = ""

_SHARED: Final = (
    "alarms",
    "concluded",
    "dead_letters",
    "dead_index",
    "dead_due",
    "sequence",
    "counters",
    "activity",
)
_OF_AGENT: Final = (
    "agent",
    "inbox",
    "leased",
    "waiting",
    "expiring",
    "deliveries",
    "receipts",
    "leaving",
)


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Messages taken from one partition; commits are accepted until `valid_until` (server ms)."""

    ids: tuple[MessageId, ...]
    valid_until: int


@dataclass(frozen=True, kw_only=True)
class Committed:
    """Messages stand in their inboxes; in these partitions some are to be pushed from there."""

    to_push: frozenset[Partition]


class RoutingStore:
    """Transitions of routing; each is one Lua file of `routing/lua`."""

    def __init__(self, redis: Redis, keys: Keys, policy: MessagePolicy) -> None:
        self._redis = redis
        self.keys = keys
        self._policy = policy
        self._scripts = {path.stem: Script.load(_LUA, path.stem) for path in _LUA.glob("*.lua")}

    def take(
        self, partitions: Sequence[Partition], token: str, limit: int
    ) -> dict[Partition, Batch]:
        """The next messages of each partition, in one trip.

        A partition is left out where there are none, or where another drains it.
        """
        outcomes = self._redis.call_many(
            [
                self._scripts["take"].bind(
                    keys={
                        "ingress": self.keys.ingress(partition),
                        "delayed": self.keys.delayed(partition),
                        "sequence": self.keys.sequence(partition),
                        "bell": self.keys.bell(partition),
                        "drainer": self.keys.drainer(partition),
                        "taken": self.keys.taken(partition),
                        "sent": self.keys.sent(partition),
                    },
                    args={"token": token, "hold_ms": _HOLD_MS, "limit": limit},
                )
                for partition in partitions
            ]
        )
        return {
            partition: _batch(outcome)
            for partition, outcome in zip(partitions, outcomes, strict=True)
            if outcome.name == "taken"
        }

    def hold(self, partitions: Sequence[Partition], token: str) -> int:
        """Keep partitions that this token drains; until when commits are accepted, 0 if lost."""
        outcomes = self._redis.call_many(
            [
                self._scripts["hold"].bind(
                    keys={"drainer": self.keys.drainer(partition)},
                    args={"token": token, "hold_ms": _HOLD_MS},
                )
                for partition in partitions
            ]
        )
        return min(
            int(str(outcome.values[0])) if outcome.name == "held" else 0 for outcome in outcomes
        )

    def envelopes(self, ids: Sequence[MessageId]) -> dict[MessageId, Envelope]:
        """The envelopes of those messages that are still stored."""
        records = read_records(self._redis, self.keys, ids)
        return {
            name: decode_envelope(record)
            for name, record in zip(ids, records, strict=True)
            if record is not None
        }

    def address(
        self, audiences: Sequence[tuple[Envelope, Sequence[AgentId]]], now_ms: int
    ) -> list[tuple[AgentId, ...]]:
        """Remember whom messages go to, before one reaches the first of them.

        Returns whom each goes to: those given, unless it was settled before. To go to nobody is a
        message's verdict.
        """
        outcomes = self._redis.call_many(
            [
                self._scripts["address"].bind(
                    keys={
                        "audience": self.keys.audience(message.id),
                        "outstanding": self.keys.outstanding(message.id),
                        "record": self.keys.message(message.id),
                        "verdict_key": self.keys.verdict(message.id),
                        "counters": self.keys.counters(self.keys.partition_of(message.id)),
                        "activity": self.keys.activity(self.keys.partition_of(message.id)),
                    },
                    args={
                        "id": message.id,
                        "nobody": _NOBODY,
                        "record_ms": self._policy.record_ms(message.needed_until - now_ms),
                        "retention_ms": self._policy.retention_ms,
                        "activity_cap": self._policy.activity_cap,
                    },
                    more_args=recipients,
                )
                for message, recipients in audiences
            ]
        )
        return [
            _known_audience(outcome) if outcome.name == "known" else tuple(recipients)
            for outcome, (_, recipients) in zip(outcomes, audiences, strict=True)
        ]

    def commit(
        self,
        deliveries: Mapping[Partition, Mapping[AgentId, Sequence[tuple[Envelope, bool]]]],
        valid_until: int,
    ) -> Committed | None:
        """Put messages into inboxes, one call a partition; None when it came too late.

        Each delivery is an envelope and whether its place was promised.
        """
        outcomes = self._redis.call_many(
            [
                self._commit_call(partition, by_agent, valid_until)
                for partition, by_agent in deliveries.items()
            ]
        )
        if any(outcome.name != "committed" for outcome in outcomes):
            return None
        return Committed(
            to_push=frozenset(
                partition
                for partition, outcome in zip(deliveries, outcomes, strict=True)
                if outcome.values[0]
            )
        )

    def _commit_call(
        self,
        partition: Partition,
        by_agent: Mapping[AgentId, Sequence[tuple[Envelope, bool]]],
        valid_until: int,
    ) -> Call:
        more_keys: list[str] = []
        more_args: list[bytes] = []
        shared: dict[str, str] = {}
        for agent, messages in by_agent.items():
            keys = inbox_keys(self.keys, agent)
            shared = {name: keys[name] for name in _SHARED}
            more_keys += [keys[name] for name in _OF_AGENT]
            more_keys += (self.keys.arrived(agent), self.keys.owed(agent))
            items = [self._item(message, promised=promised) for message, promised in messages]
            more_args.append(pack([agent, self._policy.max_depth, *items]))
        return self._scripts["commit"].bind(
            keys=shared,
            args={
                "policy_packed": policy_argument(self.keys, self._policy, partition),
                "valid_until": valid_until,
            },
            more_keys=more_keys,
            more_args=more_args,
        )

    def _item(self, message: Envelope, *, promised: bool) -> list[Any]:
        """The fields stand in the order of commit.lua."""
        return [
            message.id,
            order_base(message.priority),
            message.expires_at,
            message.max_attempts or self._policy.max_attempts,
            self._policy.retry_delay_ms,
            message.expires_at - message.accepted_at,
            message.accepted_at,
            str(self.keys.partition_of(message.id)) if promised else None,
            int(promised),
            int(message.hold_for_unknown),
            message.supersedes or "",
            message.timeout_at or 0,
            int(message.claimable),
        ]

    def release(self, ids: Mapping[Partition, Sequence[MessageId]], token: str) -> set[Partition]:
        """Take messages out of ingress that stand in their inboxes; the partitions then empty."""
        outcomes = self._redis.call_many(
            [
                self._scripts["release"].bind(
                    keys={
                        "ingress": self.keys.ingress(partition),
                        "drainer": self.keys.drainer(partition),
                        "taken": self.keys.taken(partition),
                    },
                    args={"token": token},
                    more_args=names,
                )
                for partition, names in ids.items()
            ]
        )
        return {
            partition
            for partition, outcome in zip(ids, outcomes, strict=True)
            if outcome.name == "emptied"
        }

    def leave(self, partitions: Sequence[Partition], token: str) -> None:
        """Give up partitions in which work is left."""
        self._redis.call_many(
            [
                self._scripts["leave"].bind(
                    keys={"drainer": self.keys.drainer(partition)}, args={"token": token}
                )
                for partition in partitions
            ]
        )

    def idle_partitions_with_work(self, now_ms: int) -> list[Partition]:
        """Partitions where messages wait and nobody is draining."""
        numbers = self.keys.all_partitions()
        found = self._redis.commands(
            [
                command
                for partition in map(Partition, numbers)
                for command in (
                    ("ZCARD", self.keys.ingress(partition)),
                    ("ZCOUNT", self.keys.delayed(partition), "-inf", now_ms),
                    ("EXISTS", self.keys.drainer(partition)),
                )
            ]
        )
        return [
            Partition(number)
            for number in numbers
            if (found[3 * number] or found[3 * number + 1]) and not found[3 * number + 2]
        ]


def _batch(outcome: Outcome) -> Batch:
    packed, valid_until = outcome.values
    if not isinstance(packed, bytes) or not isinstance(valid_until, int):
        raise TypeError(outcome)
    return Batch(ids=tuple(unpack(packed)), valid_until=valid_until)


def _known_audience(outcome: Outcome) -> tuple[AgentId, ...]:
    (packed,) = outcome.values
    if not isinstance(packed, bytes):
        raise TypeError(outcome)
    return tuple(AgentId(name) for name in sorted(unpack(packed)) if name != _NOBODY)
