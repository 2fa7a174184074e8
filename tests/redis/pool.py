"""A pool of agents to whom messages are offered, and what they do with them, in a word each."""

import dataclasses
from typing import Any

from broker.kernel.ids import AgentId, LeaseToken, MessageId
from broker.messaging.claim_store import Claim, ClaimStore
from broker.messaging.delivery import Delivered
from broker.messaging.inbox_store import InboxStore
from broker.messaging.message import unpack
from broker.storage.scripts import Argument
from broker.wiring import message_policy
from tests.redis.stage import HOUR_MS, Stage, token

# As in includes/delivery.lua and offer.lua; arrays begin at 0 here.
_OFFER = 16
_CLAIMED = 2

POOL = ("bob", "carol", "dora")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pool:
    """A stage on which every message is offered to the members."""

    stage: Stage
    members: tuple[str, ...] = POOL

    def offer(self, **fields: Any) -> MessageId:
        return self.stage.deliver(self.members, claimable=True, **fields)

    def claim(self, agent: str, message: MessageId, **options: Any) -> Delivered:
        return self.stage.broker.claims.claim(AgentId(agent), message, **options)

    def claim_first_step(self, agent: str, message: MessageId) -> LeaseToken:
        """As if the process died between the two steps of a claim."""
        met = self.store().claim(AgentId(agent), message, 60_000)
        assert met.claim is not None
        return met.claim.token

    def second_step(self, agent: str, message: MessageId, claim: LeaseToken) -> str:
        """As if that process had only been stopped for a while; what it comes to."""
        until = self.stage.now() + HOUR_MS
        arguments: dict[str, Argument] = {
            "epoch": "",
            "id": message,
            "token": claim,
            "until_ms": until,
            "holder": "",
        }
        return self._inboxes().move("hand_over", AgentId(agent), arguments).name

    def hear_late(self, agent: str, claim: Claim) -> None:
        """As if an agent's fetch had read this claim, and was stopped before it acted on it."""
        arguments: list[Argument] = [claim.message_id, "", claim.number, claim.expires_at]
        self._inboxes().move("put_aside", AgentId(agent), {}, arguments)

    def renew(self, agent: str, held: Delivered, claim_ms: int = HOUR_MS, **options: Any) -> int:
        return self.stage.broker.claims.renew(
            AgentId(agent), held.message.id, token(held), claim_ms=claim_ms, **options
        )

    def release(self, agent: str, held: Delivered, **options: Any) -> None:
        self.stage.broker.claims.release(AgentId(agent), held.message.id, token(held), **options)

    def holder(self, message: MessageId) -> str | None:
        """Who has the message by what the sender's side says."""
        claim = self.store().read([message])[0]
        return claim.agent_id if claim is not None and not claim.done else None

    def holders(self, message: MessageId) -> list[str]:
        """Whose copy is leased by a claim that has not ended, by what the holders' sides say."""
        keys, redis, now = self.stage.broker.keys, self.stage.broker.redis, self.stage.now()
        return [
            member
            for member in map(AgentId, self.members)
            if (packed := redis.command("HGET", keys.deliveries(member), message))
            and unpack(packed)[_OFFER] == _CLAIMED
            and int(redis.command("ZSCORE", keys.leased(member), message)) > now
        ]

    def _inboxes(self) -> InboxStore:
        broker = self.stage.broker
        return InboxStore(broker.redis, broker.keys, message_policy(self.stage.settings))

    def store(self) -> ClaimStore:
        broker = self.stage.broker
        return ClaimStore(broker.redis, broker.keys, message_policy(self.stage.settings))

    def pass_time(self, *messages: MessageId, ms: int = HOUR_MS) -> None:
        """As if so much time had passed for all members and for the claims on these messages."""
        for member in self.members:
            self.stage.pass_time(member, ms=ms)
        self.pass_time_of_claims(*messages, ms=ms)

    def pass_time_of_claims(self, *messages: MessageId, ms: int = HOUR_MS) -> None:
        """The same on the side of the sender alone, as where its clock runs ahead."""
        keys, redis = self.stage.broker.keys, self.stage.broker.redis
        for key in {keys.claims(keys.partition_of(message)) for message in messages}:
            self.stage.shift(key, -ms)
        for message in messages:
            if redis.command("HEXISTS", keys.claim(message), "until"):
                redis.command("HINCRBY", keys.claim(message), "until", -ms)
