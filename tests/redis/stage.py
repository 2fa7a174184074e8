"""What agents, routing and time do in a test, in a word each."""

import dataclasses
import threading
from typing import Any

from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, LeaseToken, MessageId
from broker.messaging.delivery import Acknowledgement, Delivered, Receipt, Wanted
from broker.messaging.message import Draft
from broker.messaging.queue import Accepted
from broker.messaging.ticket import Response
from broker.routing.store import Batch, RoutingStore
from broker.wiring import Broker, message_policy
from config.settings import Settings

HOUR_MS = 3_600_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """A broker with agents that act on it."""

    broker: Broker
    settings: Settings

    def register(self, *names: str, **options: Any) -> None:
        for name in names:
            self.broker.agents.register(AgentId(name), {}, **options)

    # --- sending and routing ----------------------------------------------------------------

    def draft(
        self,
        to: str | tuple[str, ...] = "bob",
        sender: str = "alice",
        body: str = "hello",
        **fields: Any,
    ) -> Draft:
        names = (to,) if isinstance(to, str) else to
        return Draft(sender=AgentId(sender), to=names, body=body, **fields)

    def send(
        self,
        to: str | tuple[str, ...] = "bob",
        sender: str = "alice",
        **fields: Any,
    ) -> MessageId:
        return self.broker.queue.send(self.draft(to, sender, **fields)).id

    def route(self) -> int:
        """Route all that is due, whether or not it rang."""
        total = 0
        self.broker.router.sweep()
        while routed := self.broker.router.drain():
            total += routed
        return total

    def deliver(
        self,
        to: str | tuple[str, ...] = "bob",
        sender: str = "alice",
        **fields: Any,
    ) -> MessageId:
        identifier = self.send(to, sender, **fields)
        self.route()
        return identifier

    def routing_store(self) -> RoutingStore:
        return RoutingStore(self.broker.redis, self.broker.keys, message_policy(self.settings))

    def take(self, sender: str = "alice", token: str = "someone") -> Batch | None:
        """Take a batch as a routing worker does; what happens to it is up to the test."""
        partition = self.broker.keys.partition_for(AgentId(sender))
        return self.routing_store().take([partition], token, 500).get(partition)

    def commit(self, batch: Batch, to: str = "bob") -> bool:
        """Commit a batch to one recipient, releasing nothing."""
        store, recipient = self.routing_store(), AgentId(to)
        messages = [(message, True) for message in store.envelopes(batch.ids).values()]
        partition = self.broker.keys.partition_for(recipient)
        committed = store.commit({partition: {recipient: messages}}, batch.valid_until)
        return committed is not None

    def forget_drainer(self, sender: str = "alice") -> None:
        """As if the hold of a dead routing worker had ended."""
        keys = self.broker.keys
        self.broker.redis.command("DEL", keys.drainer(keys.partition_for(AgentId(sender))))

    # --- receiving --------------------------------------------------------------------------

    def lease(self, agent: str = "bob", limit: int = 10, **options: Any) -> list[Delivered]:
        return self.broker.inboxes.lease(AgentId(agent), Wanted(limit=limit), **options)

    def lease_one(self, agent: str = "bob", **options: Any) -> Delivered:
        (delivered,) = self.lease(agent, 1, **options)
        return delivered

    def ack(self, delivered: Delivered, agent: str = "bob", **options: Any) -> None:
        self.broker.inboxes.acknowledge(
            AgentId(agent), delivered.message.id, token(delivered), **options
        )

    def inbox(self, agent: str = "bob") -> list[MessageId]:
        """What could be leased, in order."""
        shown = self.broker.inboxes.peek(AgentId(agent), Wanted(limit=1000))
        return [one.message.id for one in shown]

    def reply(
        self, ticket: MessageId, agent: str = "bob", body: str = "yes", **fields: Any
    ) -> Accepted:
        return self.broker.tickets.reply(
            Response(ticket_id=ticket, agent_id=AgentId(agent), body=body, **fields)
        )

    def receipt(self, message: MessageId, agent: str = "bob") -> Receipt:
        receipts = self.broker.archive.receipts(message)
        return next(receipt for receipt in receipts if receipt.agent_id == agent)

    def state(self, message: MessageId, agent: str = "bob") -> DeliveryState:
        return self.receipt(message, agent).state

    # --- time -------------------------------------------------------------------------------

    def pass_time(self, agent: str = "bob", ms: int = HOUR_MS) -> None:
        """As if so much time had passed for the leases, waits and receipts of an agent."""
        keys, name = self.broker.keys, AgentId(agent)
        for timed in (keys.leased(name), keys.waiting(name), keys.leaving(name)):
            self.shift(timed, -ms)
        self.shift(keys.alarms(keys.partition_for(name)), -ms)

    def outlive(self, message: MessageId) -> None:
        """Wait until a message's life has ended, by the server's clock."""
        end = self.broker.archive.get(message).message.expires_at
        while (left := end - self.now()) >= 0:
            threading.Event().wait((left + 1) / 1000)

    def now(self) -> int:
        """The server's clock in ms."""
        seconds, microseconds = self.broker.redis.command("TIME")
        return int(seconds) * 1000 + int(microseconds) // 1000

    def shift(self, key: str, ms: int) -> None:
        """Move every score of a sorted set."""
        for member in self.broker.redis.command("ZRANGE", key, 0, -1):
            self.broker.redis.command("ZINCRBY", key, ms, member)

    def settle(self) -> int:
        return self.broker.settlement.sweep()


def token(delivered: Delivered) -> LeaseToken:
    assert delivered.lease is not None
    return delivered.lease.token


def acknowledgement(delivered: Delivered) -> Acknowledgement:
    return Acknowledgement(message_id=delivered.message.id, token=token(delivered))


def ids(delivered: list[Delivered]) -> list[MessageId]:
    return [one.message.id for one in delivered]
