"""Tickets as they are shown: a message that expects a reply, where it stands, and its replies."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from broker.kernel.ids import AgentId, LeaseToken, MessageId
from broker.messaging.message import Envelope, JsonText, Message


class TicketState(StrEnum):
    """Where a ticket stands (SPEC M10); computed when it is asked for."""

    PENDING = "pending"  # no recipient has fetched it
    DELIVERED = "delivered"  # a recipient has, and owes a reply
    RESPONDED = "responded"  # for good, even if the reply came late
    TIMEOUT = "timeout"  # the wait is over without a reply; a late one still makes it responded


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What one recipient answered; without its message, once that has left. `at` in ms."""

    id: MessageId
    agent_id: AgentId
    at: int
    message: Message | None


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A ticket, and a page of its replies in the order in which they came.

    `delivered_at` (ms) is when a recipient first had it, `responded_at` when the first reply was
    accepted, `count` how many replies there are; `cursor` is where to go on.
    """

    message: Message
    state: TicketState
    delivered_at: int | None
    responded_at: int | None
    replies: tuple[Reply, ...]
    count: int
    cursor: MessageId | None

    @property
    def is_late(self) -> bool:
        """Whether the first reply came after the wait for it was over."""
        timeout_at = self.message.timeout_at
        if self.responded_at is None or timeout_at is None:
            return False
        return self.responded_at > timeout_at


@dataclass(frozen=True, kw_only=True)
class OwedTicket:
    """A ticket whose reply an agent still owes; `delivered_at` is when the agent first had it."""

    message: Message
    delivered_at: int | None

    @property
    def state(self) -> TicketState:
        """Pending until the agent has fetched it."""
        return TicketState.PENDING if self.delivered_at is None else TicketState.DELIVERED


@dataclass(frozen=True, kw_only=True)
class Response:
    """A reply as an agent hands it in; with the lease that it holds on the ticket, if it says so.

    `priority` None is the ticket's own.
    """

    ticket_id: MessageId
    agent_id: AgentId
    body: str | None = None
    payload: JsonText | None = None
    subject: str | None = None
    meta: JsonText | None = None
    priority: int | None = None
    idempotency_key: str | None = None
    ttl_ms: int | None = None
    lease_token: LeaseToken | None = None
    epoch: int | None = None


def ticket_state(
    ticket: Envelope, *, delivered_at: int | None, responded_at: int | None, now_ms: int
) -> TicketState:
    """Where a ticket stands; times in ms, None for not yet."""
    if responded_at is not None:
        return TicketState.RESPONDED
    if ticket.timeout_at is not None and ticket.timeout_at <= now_ms:
        return TicketState.TIMEOUT
    return TicketState.PENDING if delivered_at is None else TicketState.DELIVERED
