"""Messages as their senders and operators have them (SPEC M1-M15)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from waystation.answers import (
    Accepted,
    Acknowledged,
    Batch,
    Extended,
    Inbox,
    Messages,
    Read,
    Receipt,
    Receipts,
    Rejected,
    Returned,
    State,
    StoredMessage,
)
from waystation.blocking import Blocking, blocking
from waystation.resources.resource import AsyncResource
from waystation.transport import Call, at, given

Target = str | Sequence["str | Mapping[str, Any]"] | Mapping[str, Any]
"""Whom a message is for: an agent, a group such as `tag:review`, a selector, or a list of these."""


class _Content(TypedDict, total=False):
    """What any message may say."""

    payload: Any
    kind: str
    subject: str
    meta: Any
    priority: str | int
    thread_id: str
    correlation_id: str
    ttl_seconds: float
    expects_reply: bool
    timeout_seconds: float
    max_attempts: int
    hold_for_unknown: bool


class _Distribution(TypedDict, total=False):
    """What may be said of a message that several may get."""

    channel: str
    claimable: bool
    strategy: str


class DirectOptions(_Content, total=False):
    """What may be said of a direct message."""

    reply_to: str
    idempotency_key: str
    delay_seconds: float
    deliver_at: datetime
    supersedes: str
    epoch: int


class SendOptions(DirectOptions, _Distribution, total=False):
    """What may be said of a message beside whom it is for."""


class RecurringOptions(_Content, _Distribution, total=False):
    """What may be said of a message that is sent again and again."""

    idempotency_key: str


Options = DirectOptions | SendOptions
"""Of a message that is sent once."""


def draft(sender: str, to: Target | None, body: str | None, options: Options) -> dict[str, Any]:
    """A message to send; without an idempotency key it gets one, so that it can be said again."""
    fields: dict[str, Any] = given(from_=sender, to=to, body=body) | options
    fields.setdefault("idempotency_key", uuid.uuid4().hex)
    return fields


class AsyncMessages(AsyncResource):
    """Sending messages, seeing what became of them, and finishing those that were leased."""

    async def send(
        self, sender: str, to: Target, body: str | None = None, **options: Unpack[SendOptions]
    ) -> Accepted:
        """Send a message; when this returns it is on the station's disk."""
        call = Call(method="POST", path=at("messages"), body=draft(sender, to, body, options))
        return await self._transport.ask(call, Accepted)

    async def send_batch(self, drafts: Sequence[Mapping[str, Any]]) -> Batch:
        """Send up to 1000 messages at once; each is accepted or refused by itself, in order.

        Each has the fields of a message, with `from` and `to`. Repeatable where each has an
        `idempotency_key`.
        """
        call = Call(
            method="POST",
            path=at("messages", "batch"),
            body={"messages": drafts},
            repeatable=all(one.get("idempotency_key") for one in drafts),
        )
        return await self._transport.ask(call, Batch)

    async def broadcast(
        self,
        sender: str,
        body: str | None = None,
        *,
        to: Target | None = None,
        **options: Unpack[SendOptions],
    ) -> Accepted:
        """Send a message to everyone, or to the group that `to` says (SPEC M14)."""
        call = Call(method="POST", path=at("broadcast"), body=draft(sender, to, body, options))
        return await self._transport.ask(call, Accepted)

    async def get(self, message_id: str) -> StoredMessage:
        """A message with where it stands. Raises `MessageNotFoundError`."""
        call = Call(method="GET", path=at("messages", message_id))
        return await self._transport.ask(call, StoredMessage)

    async def list(
        self,
        *,
        sender: str | None = None,
        to: str | None = None,
        kind: str | None = None,
        channel: str | None = None,
        thread: str | None = None,
        status: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Messages:
        """A page of messages that the caller may see, newest first."""
        query = given(
            from_=sender,
            to=to,
            kind=kind,
            channel=channel,
            thread=thread,
            status=status,
            since=since,
            until=until,
            limit=limit,
            cursor=cursor,
        )
        return await self._transport.ask(
            Call(method="GET", path=at("messages"), query=query), Messages
        )

    async def receipts(self, message_id: str) -> Sequence[Receipt]:
        """What has become of a message, recipient by recipient."""
        call = Call(method="GET", path=at("messages", message_id, "receipts"))
        return (await self._transport.ask(call, Receipts)).receipts

    async def cancel(self, message_id: str) -> State:
        """Withdraw a message that no recipient holds. Raises `NotWaitingError`."""
        return await self._transport.ask(
            Call(method="DELETE", path=at("messages", message_id)), State
        )

    # --- as a recipient ------------------------------------------------------------------------

    async def fetch(
        self,
        agent_id: str,
        *,
        limit: int | None = None,
        wait_seconds: float = 0,
        lease_seconds: float | None = None,
        kinds: Sequence[str] = (),
        min_priority: str | int | None = None,
        peek: bool = False,
        epoch: int | None = None,
    ) -> Inbox:
        """Lease messages of an agent's inbox, or only look with `peek`; waits for the first."""
        query = given(
            limit=limit,
            wait_seconds=wait_seconds,
            lease_seconds=lease_seconds,
            kinds=kinds,
            min_priority=min_priority,
            peek=peek or None,
            epoch=epoch,
        )
        call = Call(
            method="GET",
            path=at("agents", agent_id, "inbox"),
            query=query,
            wait_seconds=wait_seconds,
        )
        return await self._transport.ask(call, Inbox)

    async def ack(
        self, message_id: str, *, agent_id: str, lease_token: str, epoch: int | None = None
    ) -> State:
        """Finish a leased message. Raises `StaleLeaseError` when its lease is over."""
        held = given(agent_id=agent_id, lease_token=lease_token, epoch=epoch)
        call = Call(method="POST", path=at("messages", message_id, "ack"), body=held)
        return await self._transport.ask(call, State)

    async def ack_batch(
        self, agent_id: str, acks: Sequence[Mapping[str, str]], *, epoch: int | None = None
    ) -> Acknowledged:
        """Finish many leased messages, each with its `id` and `lease_token`."""
        body = given(acks=acks, epoch=epoch)
        call = Call(method="POST", path=at("agents", agent_id, "inbox", "ack"), body=body)
        return await self._transport.ask(call, Acknowledged)

    async def release(self, agent_id: str, leases: Sequence[Mapping[str, str]]) -> Returned:
        """Give leases back on which no work was begun, each by its `id` and `lease_token`.

        Their messages come again at once, and no attempt is used up. What is over is passed over.
        """
        path = at("agents", agent_id, "inbox", "release")
        call = Call(method="POST", path=path, body={"leases": leases})
        return await self._transport.ask(call, Returned)

    async def nack(
        self,
        message_id: str,
        *,
        agent_id: str,
        lease_token: str,
        reason: str | None = None,
        delay_seconds: float | None = None,
        permanent: bool = False,
        epoch: int | None = None,
    ) -> Rejected:
        """Give a leased message back, for later or, `permanent`, for good."""
        body = given(
            agent_id=agent_id,
            lease_token=lease_token,
            reason=reason,
            delay_seconds=delay_seconds,
            permanent=permanent or None,
            epoch=epoch,
        )
        call = Call(method="POST", path=at("messages", message_id, "nack"), body=body)
        return await self._transport.ask(call, Rejected)

    async def extend(
        self,
        message_id: str,
        *,
        agent_id: str,
        lease_token: str,
        seconds: float,
        epoch: int | None = None,
    ) -> Extended:
        """Keep a leased message for longer. Raises `StaleLeaseError` when its lease is over."""
        body = given(agent_id=agent_id, lease_token=lease_token, seconds=seconds, epoch=epoch)
        call = Call(method="POST", path=at("messages", message_id, "extend"), body=body)
        return await self._transport.ask(call, Extended)

    async def read(self, message_id: str, *, agent_id: str, epoch: int | None = None) -> Read:
        """Note that the recipient has read a message."""
        body = given(agent_id=agent_id, epoch=epoch)
        call = Call(method="POST", path=at("messages", message_id, "read"), body=body)
        return await self._transport.ask(call, Read)


class BlockingMessages(Blocking[AsyncMessages]):
    """The blocking twin of `AsyncMessages`."""

    send = blocking(AsyncMessages.send)
    send_batch = blocking(AsyncMessages.send_batch)
    broadcast = blocking(AsyncMessages.broadcast)
    get = blocking(AsyncMessages.get)
    list = blocking(AsyncMessages.list)
    receipts = blocking(AsyncMessages.receipts)
    cancel = blocking(AsyncMessages.cancel)
    fetch = blocking(AsyncMessages.fetch)
    ack = blocking(AsyncMessages.ack)
    ack_batch = blocking(AsyncMessages.ack_batch)
    release = blocking(AsyncMessages.release)
    nack = blocking(AsyncMessages.nack)
    extend = blocking(AsyncMessages.extend)
    read = blocking(AsyncMessages.read)
