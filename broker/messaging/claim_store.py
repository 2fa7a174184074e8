"""Claims in Redis: who of those to whom a message was offered has it (SPEC R3).

A claim lies in the sender's partition, beside the message; what it gives its holder lies in the
holder's own: see claims.py.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from broker.kernel.ids import AgentId, LeaseToken, MessageId, Partition
from broker.messaging.policy import MessagePolicy
from broker.storage.connection import Redis
from broker.storage.keys import Keys
from broker.storage.scripts import Call, Outcome, Script, whole

_LUA: Final = Path(__file__).parent / "lua"
_SCRIPTS: Final = ("claim", "finish_claim", "free_claim", "renew_claim")
_FIELDS: Final = ("agent_id", "token", "until", "done")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim on a message, which ends at `expires_at` (ms); `done`: its holder finished it."""

    message_id: MessageId
    agent_id: AgentId
    token: LeaseToken
    expires_at: int
    done: bool = False

    @property
    def number(self) -> int:
        """Its place among the claims of its message: later ones have higher numbers."""
        return int(self.token.partition("-")[0])


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """What an attempt to claim came to: an outcome of claim.lua, and the claim that it met."""

    outcome: str
    claim: Claim | None


class ClaimStore:
    """Transitions of claims; each is one Lua file of `messaging/lua`."""

    def __init__(self, redis: Redis, keys: Keys, policy: MessagePolicy) -> None:
        self.redis = redis
        self.keys = keys
        self._policy = policy
        self._scripts = {name: Script.load(_LUA, name) for name in _SCRIPTS}

    def claim(self, agent: AgentId, message: MessageId, claim_ms: int) -> Claimed:
        """Claim a message, unless another has it."""
        outcome = self.redis.call(
            self._scripts["claim"].bind(
                keys={
                    "record": self.keys.message(message),
                    "audience": self.keys.audience(message),
                    "claim": self.keys.claim(message),
                    "claims": self._outbox(message),
                    "sequence": self.keys.sequence(self.keys.partition_of(message)),
                },
                args={
                    "id": message,
                    "agent_id": agent,
                    "claim_ms": claim_ms,
                    "seed": secrets.token_hex(6),
                },
            )
        )
        return Claimed(outcome=outcome.name, claim=_met(message, outcome))

    def renew(self, claim: Claim, claim_ms: int) -> int | None:
        """Let a claim end `claim_ms` from now: when that is, None if it has ended before."""
        outcome = self.redis.call(
            self._scripts["renew_claim"].bind(
                keys={
                    "claim": self.keys.claim(claim.message_id),
                    "claims": self._outbox(claim.message_id),
                },
                args={**_named(claim), "claim_ms": claim_ms},
            )
        )
        return whole(outcome.values[0]) if outcome.name == "renewed" else None

    def free(self, claims: Sequence[Claim]) -> None:
        """These claims are over: their messages can be claimed again. Safe to repeat."""
        self.redis.call_many([self._free_call(claim) for claim in claims])

    def _free_call(self, claim: Claim) -> Call:
        return self._scripts["free_claim"].bind(
            keys={
                "claim": self.keys.claim(claim.message_id),
                "claims": self._outbox(claim.message_id),
            },
            args=_named(claim),
        )

    def finish(self, claims: Sequence[Claim]) -> None:
        """The holders of these have finished their messages. Safe to repeat."""
        self.redis.call_many(
            [
                self._scripts["finish_claim"].bind(
                    keys={
                        "record": self.keys.message(claim.message_id),
                        "claim": self.keys.claim(claim.message_id),
                    },
                    args={
                        "agent_id": claim.agent_id,
                        "token": claim.token,
                        "keep_ms": self._policy.dead_letter_retention_ms,
                    },
                )
                for claim in claims
            ]
        )

    def read(self, messages: Sequence[MessageId]) -> list[Claim | None]:
        """The claim of each message, None where there is none; one trip for all."""
        found = self.redis.commands(
            [("HMGET", self.keys.claim(message), *_FIELDS) for message in messages]
        )
        return [_stored(message, fields) for message, fields in zip(messages, found, strict=True)]

    def audience(self, message: MessageId) -> list[AgentId]:
        """All to whom a message was offered; nobody once its record has left."""
        names = self.redis.command("SMEMBERS", self.keys.audience(message))
        return sorted(AgentId(name.decode()) for name in names if name)

    # --- the outbox of claims that come to their end ----------------------------------------

    def ended(self, partition: Partition, until: int, limit: int) -> list[Claim]:
        """Claims of a partition's messages whose end lies before `until` (ms)."""
        entries = self.redis.command(
            "ZRANGEBYSCORE",
            self.keys.claims(partition),
            "-inf",
            until,
            "WITHSCORES",
            "LIMIT",
            0,
            limit,
        )
        return [
            _listed(entry.decode(), int(float(score)))
            for entry, score in zip(entries[::2], entries[1::2], strict=True)
        ]

    def postpone(self, claim: Claim, ends_at: int) -> None:
        """A claim turned out to end only then."""
        self.redis.command("ZADD", self._outbox(claim.message_id), "XX", ends_at, _entry(claim))

    def strike(self, claims: Sequence[Claim]) -> None:
        """All who wait for the end of these claims know of it."""
        self.redis.commands(
            [("ZREM", self._outbox(claim.message_id), _entry(claim)) for claim in claims]
        )

    def _outbox(self, message: MessageId) -> str:
        return self.keys.claims(self.keys.partition_of(message))


def _named(claim: Claim) -> dict[str, str]:
    return {"id": claim.message_id, "agent_id": claim.agent_id, "token": claim.token}


def _entry(claim: Claim) -> str:
    return f"{claim.message_id} {claim.agent_id} {claim.token}"


def _listed(entry: str, ends_at: int) -> Claim:
    message, agent, token = entry.split(" ")
    return Claim(
        message_id=MessageId(message),
        agent_id=AgentId(agent),
        token=LeaseToken(token),
        expires_at=ends_at,
    )


def _met(message: MessageId, outcome: Outcome) -> Claim | None:
    if not outcome.values:
        return None
    agent, token, until = outcome.values
    return _stored(message, [agent, token, until, None])


def _stored(message: MessageId, fields: Sequence[object]) -> Claim | None:
    agent, token, until, done = fields
    if not isinstance(agent, bytes) or not isinstance(token, bytes):
        return None
    return Claim(
        message_id=message,
        agent_id=AgentId(agent.decode()),
        token=LeaseToken(token.decode()),
        expires_at=whole(until),
        done=bool(done),
    )
