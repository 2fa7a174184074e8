"""Tickets in Redis: the step that replies to one, and what an agent still owes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from broker.kernel.errors import BrokerError
from broker.kernel.ids import AgentId, MessageId, Partition
from broker.messaging.inbox_store import inbox_keys, policy_argument
from broker.messaging.message import Envelope
from broker.messaging.outgoing_store import Outgoing, OutgoingStore, accepted
from broker.messaging.policy import MessagePolicy
from broker.messaging.queue import Transition
from broker.messaging.ticket import Response
from broker.storage.connection import Command
from broker.storage.scripts import Outcome, Script

_LUA: Final = Path(__file__).parent / "lua"


class TicketStore:
    """Transitions of replies; `reply.lua` accepts one and finishes the replier's copy."""

    def __init__(self, outgoing: OutgoingStore, policy: MessagePolicy) -> None:
        self.redis = outgoing.redis
        self.keys = outgoing.keys
        self._outgoing = outgoing
        self._policy = policy
        self._reply = Script.load(_LUA, "reply")

    def replying(self, response: Response, refuse: Callable[[Outcome], BrokerError]) -> Transition:
        """What stores a reply and finishes the replier's copy, in one step.

        `refuse` makes the error of an outcome that stores nothing.
        """

        def reply(
            partition: Partition, outgoing: Sequence[Outgoing], now_ms: int
        ) -> tuple[bool, list[list[Any]]]:
            acceptance = self._outgoing.acceptance(partition, outgoing, now_ms)
            own = inbox_keys(self.keys, response.agent_id)
            outcome = self.redis.call(
                acceptance.by(
                    self._reply,
                    keys={**own, "owed": self.keys.owed(response.agent_id)},
                    args={
                        "agent_id": response.agent_id,
                        "policy_packed": policy_argument(self.keys, self._policy, partition),
                        "epoch": "" if response.epoch is None else response.epoch,
                        "ticket": response.ticket_id,
                        "token": response.lease_token or "",
                    },
                )
            )
            if outcome.name != "stored":
                return False, [["refused", refuse(outcome)]]
            return accepted(outcome)

        return reply

    def recipients_among(
        self, asked: Sequence[tuple[Envelope, Iterable[AgentId]]]
    ) -> list[set[AgentId]]:
        """Those of the given agents to whom each message goes; one trip for all.

        A message to several says so itself only until it is routed.
        """
        groups = [(message, list(agents)) for message, agents in asked]
        commands: list[Command] = []
        for message, agents in groups:
            audience = self.keys.audience(message.id)
            commands += [("EXISTS", audience), ("SMISMEMBER", audience, "", *agents)]
        known = self.redis.commands(commands)
        found = []
        for index, (message, agents) in enumerate(groups):
            noted, members = known[2 * index], known[2 * index + 1][1:]
            found.append(
                {
                    agent
                    for agent, is_member in zip(agents, members, strict=True)
                    if (is_member if noted else agent in message.to)
                }
            )
        return found

    def stored(self, messages: Sequence[MessageId]) -> set[MessageId]:
        """Those of the messages that have a record."""
        there = self.redis.commands(
            [("EXISTS", self.keys.message(identifier)) for identifier in messages]
        )
        return {name for name, is_there in zip(messages, there, strict=True) if is_there}

    def owed(
        self, agent: AgentId, *, after: tuple[int, MessageId], limit: int
    ) -> list[tuple[int, MessageId]]:
        """Tickets that await a reply of an agent, with their timeout in ms: the soonest first.

        Those behind `after`, which is one of these pairs.
        """
        found: list[tuple[int, MessageId]] = []
        start = 0
        while len(found) < limit:
            entries = self.redis.command(
                "ZRANGEBYSCORE",
                self.keys.owed(agent),
                *(after[0], "+inf", "WITHSCORES", "LIMIT", start, limit),
            )
            for name, timeout_at in zip(entries[::2], entries[1::2], strict=True):
                entry = (int(float(timeout_at)), MessageId(name.decode()))
                if entry > after:
                    found.append(entry)
            if len(entries) < 2 * limit:
                break
            start += limit
        return found[:limit]

    def forgive(self, agent: AgentId, tickets: Sequence[MessageId]) -> None:
        """Strike tickets off what an agent owes."""
        if tickets:
            self.redis.command("ZREM", self.keys.owed(agent), *tickets)
