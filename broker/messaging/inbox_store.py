"""The recipient's side in Redis: the moves of inboxes, and what time brings about in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from broker.kernel.ids import AgentId, MessageId, Partition
from broker.messaging.message import pack
from broker.messaging.policy import MessagePolicy
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Argument, Call, Outcome, Script, whole

_LUA: Final = Path(__file__).parent / "lua"
_MOVES: Final = (
    "acknowledge",
    "bury_all",
    "conclude_claim",
    "extend",
    "find_offer",
    "hand_over",
    "held",
    "lease",
    "mark_read",
    "offer_again",
    "prolong_claim",
    "put_aside",
    "reject",
    "release_claim",
    "resolve_dead",
    "retry_dead",
    "return_leases",
    "settle",
    "take_back",
    "withdraw",
)
_SWEEPS: Final = ("due", "shift", "trim_dead")
# Deliveries read in one trip: messages to thousands are looked up a part at a time.
_PAIRS: Final = 2_000

_AT_ONCE: Final = 1_000

# A clock that goes back by less than the step does no harm; the mark by which it is noticed is
# renewed this often; and so long may pass between noticing it and moving what depends on it.
_CLOCK_STEP_MS: Final = 2_000
_CLOCK_MARK_MS: Final = 5_000
_CLOCK_MARGIN_MS: Final = 60_000

# The holder's side sees the end of a claim by itself, and tells of it; only where no lease ever
# came of a claim is it left to the sender's side, which so lets the other go first.
CLAIM_MARGIN_MS: Final = 1_000


class Due(NamedTuple):
    """How much has come due in a partition at `now` (server ms): see due.lua."""

    now: int
    alarms: int
    verdicts: int
    letters: int
    set_back: int
    claims: int


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


class InboxStore:
    """Transitions of inboxes and their deliveries; each is one Lua file of `messaging/lua`."""

    def __init__(self, redis: Redis, keys: Keys, policy: MessagePolicy) -> None:
        self.redis = redis
        self.keys = keys
        self._policy = policy
        self._policies = [
            policy_argument(keys, policy, Partition(number)) for number in keys.all_partitions()
        ]
        self._scripts = {name: Script.load(_LUA, name) for name in (*_MOVES, *_SWEEPS)}

    def move(
        self,
        name: str,
        agent: AgentId,
        args: Mapping[str, Argument],
        more_args: Sequence[Argument] = (),
    ) -> Outcome:
        """Carry out a move of one agent's inbox."""
        return self.redis.call(self._move_call(name, agent, args, more_args))

    def move_many(self, name: str, agents: Sequence[AgentId], args: Mapping[str, Argument]) -> None:
        """Carry out the same move of many inboxes; one trip for all."""
        self.redis.call_many([self._move_call(name, agent, args, ()) for agent in agents])

    def _move_call(
        self,
        name: str,
        agent: AgentId,
        args: Mapping[str, Argument],
        more_args: Sequence[Argument],
    ) -> Call:
        partition = self.keys.partition_for(agent)
        return self._scripts[name].bind(
            keys=inbox_keys(self.keys, agent),
            args={"agent_id": agent, "policy_packed": self._policies[partition], **args},
            more_args=more_args,
        )

    def deliveries(self, pairs: Sequence[tuple[MessageId, AgentId]]) -> list[bytes | None]:
        """The packed delivery of each pair, unfinished or finished; None if it never arrived."""
        packed: list[bytes | None] = []
        for start in range(0, len(pairs), _PAIRS):
            found = self.redis.commands(
                [
                    command
                    for message, agent in pairs[start : start + _PAIRS]
                    for command in (
                        ("HGET", self.keys.deliveries(agent), message),
                        ("HGET", self.keys.receipts(agent), message),
                    )
                ]
            )
            packed += [found[index] or found[index + 1] for index in range(0, len(found), 2)]
        return packed

    def reached(
        self, messages: Sequence[MessageId], agents: Sequence[AgentId]
    ) -> dict[MessageId, list[AgentId]]:
        """Whom of these agents each message has reached; one trip for all."""
        if not messages:
            return {}
        found = self.redis.commands(
            [("HMGET", key, *messages) for key in self._received_keys(agents)]
        )
        return {
            message: [
                agent
                for index, agent in enumerate(agents)
                if found[2 * index][position] or found[2 * index + 1][position]
            ]
            for position, message in enumerate(messages)
        }

    def deliveries_of(self, agent: AgentId, ids: Sequence[MessageId]) -> list[bytes | None]:
        """As `deliveries`, for many messages of one agent; one trip, in a few large commands."""
        some = [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]
        found = self.redis.commands(
            [
                ("HMGET", key, *names)
                for names in some
                for key in (self.keys.deliveries(agent), self.keys.receipts(agent))
            ]
        )
        return [
            unfinished or finished
            for index in range(0, len(found), 2)
            for unfinished, finished in zip(found[index], found[index + 1], strict=True)
        ]

    def received_counts(self, agents: Iterable[AgentId]) -> list[int]:
        """How many messages each of these agents has received, as far as receipts are kept."""
        found = self.redis.commands([("HLEN", key) for key in self._received_keys(agents)])
        return [found[index] + found[index + 1] for index in range(0, len(found), 2)]

    def received(self, agents: Iterable[AgentId]) -> set[MessageId]:
        """The messages that these agents have received, as far as receipts are kept."""
        found = self.redis.commands([("HKEYS", key) for key in self._received_keys(agents)])
        return {MessageId(name.decode()) for names in found for name in names}

    def _received_keys(self, agents: Iterable[AgentId]) -> list[str]:
        return [
            key
            for agent in agents
            for key in (self.keys.deliveries(agent), self.keys.receipts(agent))
        ]

    # --- what comes due ---------------------------------------------------------------------

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
                        "claims": self.keys.claims(partition),
                    },
                    args={
                        "step_ms": _CLOCK_STEP_MS,
                        "mark_ms": _CLOCK_MARK_MS,
                        "claim_margin_ms": CLAIM_MARGIN_MS,
                    },
                )
                for partition in partitions
            ]
        )
        found = {
            partition: Due(*map(whole, outcome.values))
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

    def due_agents(self, partition: Partition, now_ms: int, limit: int) -> list[AgentId]:
        """Agents of a partition in whose inbox something has come due."""
        names = self.redis.command(
            "ZRANGEBYSCORE", self.keys.alarms(partition), "-inf", now_ms, "LIMIT", 0, limit
        )
        return [AgentId(name.decode()) for name in names]

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
        return whole(outcome.values[0])
