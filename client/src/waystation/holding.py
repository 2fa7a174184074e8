"""Finishing and keeping what an agent holds: what a message asks for, and how HTTP does it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from waystation.answers import Claimed, Lease, Read, Rejected, Released, Responded, State
from waystation.errors import ProblemError, WaystationError, error_of
from waystation.grouping import Grouping
from waystation.resources.tickets import ReplyOptions
from waystation.station import AsyncStation

_AT_ONCE: Final = 1000

_log = logging.getLogger(__name__)


class Holder(Protocol):
    """An agent that holds messages, each by the token of its lease.

    Every call raises `StaleLeaseError` once the lease is over.
    """

    async def ack(self, message_id: str, lease_token: str) -> State:
        """Finish a message."""

    async def nack(
        self,
        message_id: str,
        lease_token: str,
        *,
        reason: str | None,
        delay_seconds: float | None,
        permanent: bool,
    ) -> Rejected:
        """Give a message back, for later or for good."""

    async def extend(self, message_id: str, lease_token: str, seconds: float) -> Lease:
        """Have a lease end so long from now."""

    async def reply(self, message_id: str, lease_token: str, response: Any) -> Responded:  # noqa: ANN401 - any JSON
        """Answer a message, and finish it."""

    async def claim(self, message_id: str, seconds: float | None) -> Claimed:
        """Take what is offered to several."""

    async def renew(self, message_id: str, lease_token: str, seconds: float) -> Lease:
        """Have a claim end so long from now."""

    async def release(self, message_id: str, lease_token: str) -> Released:
        """Offer what was claimed to all again."""

    async def read(self, message_id: str) -> Read:
        """Note that a message was read."""


class HttpHolder:
    """An agent that asks for each by a request; `epoch` is its session, where it claims one."""

    def __init__(self, station: AsyncStation, agent_id: str) -> None:
        self.station = station
        self.agent_id = agent_id
        self.epoch: int | None = None
        self._acks: Grouping[Mapping[str, str], State] = Grouping(self._ack_together)

    async def ack(self, message_id: str, lease_token: str) -> State:
        """Finish a message; those that are finished at the same time share a request."""
        return await self._acks.submit({"id": message_id, "lease_token": lease_token})

    async def _ack_together(
        self, acks: Sequence[Mapping[str, str]]
    ) -> Sequence[State | ProblemError]:
        if len(acks) == 1:
            (ack,) = acks
            return [
                await self.station.messages.ack(
                    ack["id"],
                    agent_id=self.agent_id,
                    lease_token=ack["lease_token"],
                    epoch=self.epoch,
                )
            ]
        done = await self.station.messages.ack_batch(self.agent_id, acks, epoch=self.epoch)
        return [
            error_of(one.problem)
            if one.problem is not None
            else State(id=one.id, status=one.status or "acknowledged")
            for one in done.results
        ]

    async def nack(
        self,
        message_id: str,
        lease_token: str,
        *,
        reason: str | None,
        delay_seconds: float | None,
        permanent: bool,
    ) -> Rejected:
        """Give a message back, for later or for good."""
        return await self.station.messages.nack(
            message_id,
            agent_id=self.agent_id,
            lease_token=lease_token,
            reason=reason,
            delay_seconds=delay_seconds,
            permanent=permanent,
            epoch=self.epoch,
        )

    async def return_untouched(self, leases: Sequence[Mapping[str, str]]) -> None:
        """Have these messages come again as if they had never been leased.

        If that fails, they come again when their leases are over.
        """
        for start in range(0, len(leases), _AT_ONCE):
            try:
                await self.station.messages.release(self.agent_id, leases[start : start + _AT_ONCE])
            except WaystationError as error:
                _log.warning("%d messages could not be given back yet: %s", len(leases), error)
                return

    async def extend(self, message_id: str, lease_token: str, seconds: float) -> Lease:
        """Have a lease end so long from now."""
        extended = await self.station.messages.extend(
            message_id,
            agent_id=self.agent_id,
            lease_token=lease_token,
            seconds=seconds,
            epoch=self.epoch,
        )
        return extended.lease

    async def reply(self, message_id: str, lease_token: str, response: Any) -> Responded:  # noqa: ANN401 - any JSON
        """Answer a message, and finish it."""
        options = ReplyOptions(lease_token=lease_token)
        if self.epoch is not None:
            options["epoch"] = self.epoch
        return await self.station.tickets.reply(
            message_id, response, agent_id=self.agent_id, **options
        )

    async def claim(self, message_id: str, seconds: float | None) -> Claimed:
        """Take what is offered to several."""
        return await self.station.claims.claim(
            message_id, agent_id=self.agent_id, claim_seconds=seconds, epoch=self.epoch
        )

    async def renew(self, message_id: str, lease_token: str, seconds: float) -> Lease:
        """Have a claim end so long from now."""
        renewed = await self.station.claims.renew(
            message_id,
            agent_id=self.agent_id,
            lease_token=lease_token,
            seconds=seconds,
            epoch=self.epoch,
        )
        return renewed.claim

    async def release(self, message_id: str, lease_token: str) -> Released:
        """Offer what was claimed to all again."""
        return await self.station.claims.release(
            message_id, agent_id=self.agent_id, lease_token=lease_token, epoch=self.epoch
        )

    async def read(self, message_id: str) -> Read:
        """Note that a message was read."""
        return await self.station.messages.read(
            message_id, agent_id=self.agent_id, epoch=self.epoch
        )
