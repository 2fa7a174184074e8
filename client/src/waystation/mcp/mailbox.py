"""One agent's calls about the messages that it receives, by lease or by claim."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from waystation.answers import Acknowledgement, Delivered, Rejected
from waystation.errors import ConflictError, NotFoundError
from waystation.station import AsyncStation


@dataclass(frozen=True, kw_only=True)
class Held:
    """A message in the model's hands, by the token of a lease or of a claim."""

    message: Delivered
    token: str
    is_claim: bool
    since: float = field(default_factory=time.monotonic)

    @property
    def id(self) -> str:
        """The id of the message."""
        return self.message.id


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """Why a message is given back unfinished, and what is to become of it."""

    reason: str
    delay_seconds: float | None = None
    permanent: bool = False


class Mailbox:
    """The inbox of `agent_id`; a lease lasts `lease_seconds` and is to be renewed before."""

    def __init__(self, station: AsyncStation, agent_id: str, *, lease_seconds: float) -> None:
        self._station = station
        self.agent_id = agent_id
        self.lease_seconds = lease_seconds

    async def fetch(
        self,
        *,
        limit: int,
        wait_seconds: float,
        kinds: Sequence[str] = (),
        min_priority: str | None = None,
    ) -> list[Delivered]:
        """Lease what waits; where nothing does, the first that comes in time."""
        inbox = await self._station.messages.fetch(
            self.agent_id,
            limit=limit,
            wait_seconds=wait_seconds,
            lease_seconds=self.lease_seconds,
            kinds=kinds,
            min_priority=min_priority,
        )
        return inbox.messages

    async def peek(self, *, limit: int) -> list[Delivered]:
        """Show what waits, without leasing it."""
        return (await self._station.messages.fetch(self.agent_id, limit=limit, peek=True)).messages

    async def take(self, message: Delivered) -> Held | None:
        """Hold what was fetched; None where it was offered to several and another was faster."""
        if message.lease is None:
            return None
        if not message.claimable:
            return Held(message=message, token=message.lease.token, is_claim=False)
        try:
            return await self.claim(message.id)
        except (ConflictError, NotFoundError):
            return None

    async def claim(self, message_id: str) -> Held:
        """Hold what was offered to several. Raises `ClaimHeldError`, `ClaimDoneError`."""
        claimed = await self._station.claims.claim(
            message_id, agent_id=self.agent_id, claim_seconds=self.lease_seconds
        )
        return Held(message=claimed.message, token=claimed.claim.token, is_claim=True)

    async def renew(self, held: Held) -> None:
        """Have it for another `lease_seconds`. Raises `StaleLeaseError` where it is lost."""
        prolong = self._station.claims.renew if held.is_claim else self._station.messages.extend
        await prolong(
            held.id, agent_id=self.agent_id, lease_token=held.token, seconds=self.lease_seconds
        )

    async def ack(self, held: Collection[Held]) -> Sequence[Acknowledgement]:
        """Finish these; what became of each."""
        leases = [{"id": one.id, "lease_token": one.token} for one in held]
        return (await self._station.messages.ack_batch(self.agent_id, leases)).results

    async def reject(self, held: Held, rejection: Rejection) -> Rejected:
        """Give it back because it could not be dealt with: for later, or for good."""
        return await self._station.messages.nack(
            held.id,
            agent_id=self.agent_id,
            lease_token=held.token,
            reason=rejection.reason,
            delay_seconds=rejection.delay_seconds,
            permanent=rejection.permanent,
        )

    async def give_back(self, held: Collection[Held]) -> None:
        """Let others have these at once, as if nobody had taken them."""
        leases = [{"id": one.id, "lease_token": one.token} for one in held if not one.is_claim]
        if leases:
            await self._station.messages.release(self.agent_id, leases)
        await asyncio.gather(*(self.release(one) for one in held if one.is_claim))

    async def release(self, held: Held) -> None:
        """Offer what was claimed to all again."""
        await self._station.claims.release(held.id, agent_id=self.agent_id, lease_token=held.token)

    async def reply(self, held: Held, response: str) -> str:
        """Answer and finish it; gives the id of the reply.

        A question is answered and finished in one step. Any other message is answered first: if it
        can't be finished then, it comes again, and the same answer is not sent twice.
        """
        if held.message.expects_reply:
            replied = await self._station.tickets.reply(
                held.id, response, agent_id=self.agent_id, lease_token=held.token
            )
            return replied.id
        sent = await self._station.messages.send(
            self.agent_id,
            held.message.from_,
            response,
            reply_to=held.id,
            kind="response",
            hold_for_unknown=True,
            idempotency_key=_key("reply", held.id, response),
        )
        await self._station.messages.ack(held.id, agent_id=self.agent_id, lease_token=held.token)
        return sent.id


def _key(*parts: str) -> str:
    """The same key for the same parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
