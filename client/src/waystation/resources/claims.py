"""Claims of messages that are offered to several (SPEC R3)."""

from __future__ import annotations

from waystation.answers import Claim, Claimed, Released, Renewed
from waystation.blocking import Blocking, blocking
from waystation.resources.resource import AsyncResource
from waystation.transport import Call, at, given


class AsyncClaims(AsyncResource):
    """Taking a message for oneself, keeping it, and giving it up."""

    async def claim(
        self,
        message_id: str,
        *,
        agent_id: str,
        claim_seconds: float | None = None,
        epoch: int | None = None,
    ) -> Claimed:
        """Take a message; whoever holds it already is answered with the claim that it has.

        Raises `ClaimHeldError` (`retry_after_seconds` says until when), `ClaimDoneError`,
        `NotClaimableError`.
        """
        body = given(agent_id=agent_id, claim_seconds=claim_seconds, epoch=epoch)
        call = Call(method="POST", path=at("messages", message_id, "claim"), body=body)
        return await self._transport.ask(call, Claimed)

    async def get(self, message_id: str) -> Claim:
        """Whether a message is open, claimed (by whom, until when) or done."""
        call = Call(method="GET", path=at("messages", message_id, "claim"))
        return await self._transport.ask(call, Claim)

    async def renew(
        self,
        message_id: str,
        *,
        agent_id: str,
        lease_token: str,
        seconds: float,
        epoch: int | None = None,
    ) -> Renewed:
        """Have a claim end so long from now. Raises `StaleLeaseError` when it is over."""
        body = given(agent_id=agent_id, lease_token=lease_token, seconds=seconds, epoch=epoch)
        call = Call(method="POST", path=at("messages", message_id, "claim", "renew"), body=body)
        return await self._transport.ask(call, Renewed)

    async def release(
        self, message_id: str, *, agent_id: str, lease_token: str, epoch: int | None = None
    ) -> Released:
        """Offer a message to all again, its holder among them. Raises `StaleLeaseError`.

        Said again because an answer was lost, it is refused so, or frees nothing: a token is never
        given out twice.
        """
        body = given(agent_id=agent_id, lease_token=lease_token, epoch=epoch)
        call = Call(method="POST", path=at("messages", message_id, "claim", "release"), body=body)
        return await self._transport.ask(call, Released)


class BlockingClaims(Blocking[AsyncClaims]):
    """The blocking twin of `AsyncClaims`."""

    claim = blocking(AsyncClaims.claim)
    get = blocking(AsyncClaims.get)
    renew = blocking(AsyncClaims.renew)
    release = blocking(AsyncClaims.release)
