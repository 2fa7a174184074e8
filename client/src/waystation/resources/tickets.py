"""Tickets: questions, what became of them, and their replies (SPEC M10)."""

from __future__ import annotations

import uuid
from typing import Any, TypedDict, Unpack

from waystation.answers import Asked, OwedTickets, Replies, Responded, Ticket
from waystation.blocking import Blocking, blocking
from waystation.resources.messages import SendOptions, draft
from waystation.resources.resource import AsyncResource
from waystation.transport import Call, at, given


class ReplyOptions(TypedDict, total=False):
    """What may be said of a reply beside what is answered."""

    subject: str
    meta: Any
    priority: str | int
    idempotency_key: str
    ttl_seconds: float
    lease_token: str
    epoch: int


class AsyncTickets(AsyncResource):
    """Asking, answering, and waiting for the answer."""

    async def ask(
        self,
        sender: str,
        to: str,
        body: str | None = None,
        *,
        wait_seconds: float | None = None,
        **options: Unpack[SendOptions],
    ) -> Asked:
        """Ask one agent: send it a message that expects a reply.

        With `wait_seconds` (60 at most) `ticket` of the answer is how the ticket stands when the
        first reply has come, or at the end of the wait. Raises `UnknownAgentError`.
        """
        call = Call(
            method="POST",
            path=at("agents", to, "send"),
            query=given(wait_seconds=wait_seconds),
            body=draft(sender, None, body, options),
            wait_seconds=wait_seconds or 0,
        )
        return await self._transport.ask(call, Asked)

    async def reply(
        self,
        ticket_id: str,
        response: Any,  # noqa: ANN401 - any JSON but null
        *,
        agent_id: str,
        **options: Unpack[ReplyOptions],
    ) -> Responded:
        """Answer a ticket, and finish the replier's copy of it in the same step.

        `response` is text or any other JSON but None. With a `lease_token` it is refused by
        `StaleLeaseError` once that lease is over; the token stands for one reply, so that this can
        be said again. Without one it gets an idempotency key.
        Raises `TicketNotFoundError`, `NotClaimedError`.
        """
        body = given(ticket_id=ticket_id, agent_id=agent_id, response=response) | options
        if not body.get("lease_token"):
            body.setdefault("idempotency_key", uuid.uuid4().hex)
        return await self._transport.ask(
            Call(method="POST", path=at("replies"), body=body), Responded
        )

    async def get(self, ticket_id: str) -> Ticket:
        """Where a ticket stands: pending, delivered, responded or timeout; its first replies.

        Raises `TicketNotFoundError`.
        """
        return await self._transport.ask(Call(method="GET", path=at("tickets", ticket_id)), Ticket)

    async def replies(
        self, ticket_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Replies:
        """A page of a ticket's replies, first come first. Raises `TicketNotFoundError`."""
        query = given(limit=limit, cursor=cursor)
        call = Call(method="GET", path=at("replies", ticket_id), query=query)
        return await self._transport.ask(call, Replies)

    async def wait(self, ticket_id: str, *, timeout_seconds: float = 30) -> Replies:
        """Wait for a ticket's first reply, 60 seconds at most; `status` says why it came back.

        Raises `TicketNotFoundError`.
        """
        call = Call(
            method="GET",
            path=at("replies", ticket_id, "wait"),
            query={"timeout_seconds": timeout_seconds},
            wait_seconds=timeout_seconds,
        )
        return await self._transport.ask(call, Replies)

    async def pending(
        self, agent_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> OwedTickets:
        """What an agent has yet to answer, the soonest to time out first; leases nothing."""
        query = given(limit=limit, cursor=cursor)
        call = Call(method="GET", path=at("agents", agent_id, "tickets", "pending"), query=query)
        return await self._transport.ask(call, OwedTickets)


class BlockingTickets(Blocking[AsyncTickets]):
    """The blocking twin of `AsyncTickets`."""

    ask = blocking(AsyncTickets.ask)
    reply = blocking(AsyncTickets.reply)
    get = blocking(AsyncTickets.get)
    replies = blocking(AsyncTickets.replies)
    wait = blocking(AsyncTickets.wait)
    pending = blocking(AsyncTickets.pending)
