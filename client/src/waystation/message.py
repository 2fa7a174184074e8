"""A message that is held: leased, worked on, finished."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self

from waystation.answers import Delivered, Lease, Read, Rejected, Released, Responded, State
from waystation.blocking import Blocking, blocking
from waystation.contents import Contents
from waystation.errors import (
    ClaimDoneError,
    ClaimHeldError,
    MessageNotFoundError,
    NotClaimableError,
    StaleLeaseError,
    WaystationError,
)
from waystation.holding import Holder
from waystation.leases import Upkeep

LEASE_SECONDS: Final = 60.0
"""How long a message is leased where nothing is said; it is extended while the work goes on."""
_REASON_CHARACTERS: Final = 2000
_PARTING_SECONDS: Final = 5
"""How long one that is on its way out tries to give back what it holds."""
_NO_LONGER_HELD: Final = (StaleLeaseError, MessageNotFoundError)
_TAKEN: Final = (ClaimHeldError, ClaimDoneError, NotClaimableError)

_log = logging.getLogger(__name__)


def reason_of(error: BaseException) -> str:
    """An error as the reason for which a message is given back."""
    said = str(error)
    name = type(error).__name__
    return (f"{name}: {said}" if said else name)[:_REASON_CHARACTERS]


class AsyncMessage(Contents):
    """A leased message.

    As a context manager it is acknowledged at the end, or after an exception given back with the
    error as the reason; its lease is extended meanwhile. What was finished by hand stays so.

    `finished` says that the station took its end, `lost` that its lease turned out to be over:
    somebody else has or gets the message, so stop working on it.
    """

    def __init__(
        self,
        delivered: Delivered,
        holder: Holder,
        *,
        lease_seconds: float,
        leased_at: float,
        extend_by: float | None = None,
    ) -> None:
        """`leased_at` is a time of the event loop; `extend_by` the seconds of each extension."""
        self.finished = False
        self.lost = False
        self._delivered = delivered
        self._holder = holder
        self._lease = delivered.lease
        self._lease_seconds = lease_seconds
        self._extend_by = extend_by or lease_seconds
        self._leased_at = leased_at
        self._is_claimed = False
        self._upkeep = Upkeep(self._keep_on)

    @property
    def delivered(self) -> Delivered:
        """All of it, as the station gave it."""
        return self._delivered

    @property
    def lease(self) -> Lease | None:
        """By what it is held, and until when by the station's clock."""
        return self._lease

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to finish here."""
        return self.finished or self.lost

    # --- finishing ---------------------------------------------------------------------------

    async def ack(self) -> State:
        """Finish it for good. Raises `StaleLeaseError` when its lease is over."""
        with self._finishing():
            return await self._holder.ack(self.id, self._token)

    async def nack(
        self,
        reason: str | None = None,
        *,
        delay_seconds: float | None = None,
        permanent: bool = False,
    ) -> Rejected:
        """Give it back, to come again after a growing pause, or the one given.

        `permanent` makes it a dead letter instead.

        Raises `StaleLeaseError` when its lease is over.
        """
        with self._finishing():
            return await self._holder.nack(
                self.id,
                self._token,
                reason=reason,
                delay_seconds=delay_seconds,
                permanent=permanent,
            )

    async def give_back(self, reason: str) -> None:
        """Let it come again at once: nothing was wrong with it.

        A claim is offered to all again; a delivery counts as an attempt.
        """
        if self._is_claimed:
            await self.release()
        else:
            await self.nack(reason, delay_seconds=0)

    async def reply(self, response: Any) -> Responded:  # noqa: ANN401 - any JSON but null
        """Answer it, with text or other JSON, and finish it in the same step.

        Raises `StaleLeaseError` when its lease is over: then nothing was sent.
        """
        with self._finishing():
            return await self._holder.reply(self.id, self._token, response)

    async def release(self) -> Released:
        """Offer what was claimed to all again. Raises `StaleLeaseError` when the claim is over."""
        with self._finishing():
            return await self._holder.release(self.id, self._token)

    async def settle(self, error: BaseException | None) -> None:
        """Acknowledge it; after an error give it back. Nothing, if it was finished by hand.

        That it was lost meanwhile is logged, and so is whatever hinders giving it back.
        """
        if self.is_over:
            return
        try:
            if error is None:
                await self.ack()
            elif isinstance(error, Exception):
                await self.nack(reason_of(error))
            else:  # the keyboard, the end of the program, a cancellation: not the message's fault
                async with asyncio.timeout(_PARTING_SECONDS):
                    await self.give_back(f"interrupted by {type(error).__name__}")
        except _NO_LONGER_HELD:
            _log.warning(
                "The lease of %s was over before it was finished; it comes again.", self.id
            )
        except (WaystationError, TimeoutError) as hindrance:
            if error is None:
                raise
            _log.warning("%s could not be given back: %s", self.id, hindrance)
        finally:
            self._upkeep.stop()

    # --- holding -----------------------------------------------------------------------------

    async def extend(self, seconds: float | None = None) -> Lease:
        """Have its lease end so long from now; as long as it was leased for, if nothing is said.

        Raises `StaleLeaseError` when it is over.
        """
        lasts = seconds or self._extend_by
        prolong = self._holder.renew if self._is_claimed else self._holder.extend
        asked_at = asyncio.get_running_loop().time()
        with self._noticing_loss():
            self._lease = await prolong(self.id, self._token, lasts)
        self._lease_seconds, self._leased_at = lasts, asked_at
        return self._lease

    async def claim(self, seconds: float | None = None) -> None:
        """Take what is offered to several: then it is held, and finished, as any message.

        Raises `ClaimHeldError`, `ClaimDoneError`, `NotClaimableError`.
        """
        lasts = seconds or self._extend_by
        asked_at = asyncio.get_running_loop().time()
        try:
            claimed = await self._holder.claim(self.id, lasts)
        except _TAKEN:
            self.lost = True
            self._upkeep.stop()
            raise
        self._delivered, self._lease = claimed.message, claimed.claim
        self._lease_seconds, self._leased_at = lasts, asked_at
        self._is_claimed = True

    async def read(self) -> Read:
        """Note that it was read; its sender sees that in the receipt."""
        return await self._holder.read(self.id)

    async def keep(self) -> None:
        """Extend its lease in the background until it is finished; entering the context does it."""
        if not self.is_over:
            self._upkeep.begin(lasts_seconds=self._lease_seconds, began_at=self._leased_at)

    async def let_be(self) -> None:
        """Extend its lease no more."""
        self._upkeep.stop()

    async def part(self, reason: str) -> None:
        """Give it back on the way out: if that fails, it comes again when its lease is over."""
        self._upkeep.stop()
        try:
            await self.give_back(reason)
        except WaystationError as error:
            _log.warning("%s could not be given back; it comes again: %s", self.id, error)

    async def lose(self) -> Mapping[str, str]:
        """It is to be somebody else's; gives the lease that it was held by."""
        self.lost = True
        self._upkeep.stop()
        return {"id": self.id, "lease_token": self._token}

    async def __aenter__(self) -> Self:
        await self.keep()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.settle(error)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} from {self.from_}, attempt {self.attempt}>"

    @property
    def _token(self) -> str:
        if self._lease is None:
            raise WaystationError(f"{self.id} is not held: it was shown without a lease.")
        return self._lease.token

    async def _keep_on(self) -> float | None:
        try:
            await self.extend()
        except _NO_LONGER_HELD:
            _log.warning("The lease of %s is over, while it was worked on.", self.id)
            return None
        return self._lease_seconds

    @contextlib.contextmanager
    def _finishing(self) -> Iterator[None]:
        with self._noticing_loss():
            yield
        self.finished = True
        self._upkeep.stop()

    @contextlib.contextmanager
    def _noticing_loss(self) -> Iterator[None]:
        try:
            yield
        except _NO_LONGER_HELD:
            # A repeated acknowledgement is answered well, but one of what was given back is not.
            self.lost = not self.finished
            self._upkeep.stop()
            raise


class Message(Contents, Blocking[AsyncMessage]):
    """The blocking twin of `AsyncMessage`."""

    @property
    def delivered(self) -> Delivered:
        """All of it, as the station gave it."""
        return self._core.delivered

    @property
    def lease(self) -> Lease | None:
        """By what it is held, and until when by the station's clock."""
        return self._core.lease

    @property
    def finished(self) -> bool:
        """Whether the station took its end."""
        return self._core.finished

    @property
    def lost(self) -> bool:
        """Whether its lease turned out to be over: stop working on it."""
        return self._core.lost

    ack = blocking(AsyncMessage.ack)
    nack = blocking(AsyncMessage.nack)
    give_back = blocking(AsyncMessage.give_back)
    reply = blocking(AsyncMessage.reply)
    release = blocking(AsyncMessage.release)
    extend = blocking(AsyncMessage.extend)
    claim = blocking(AsyncMessage.claim)
    read = blocking(AsyncMessage.read)
    keep = blocking(AsyncMessage.keep)
    let_be = blocking(AsyncMessage.let_be)
    _settle = blocking(AsyncMessage.settle)

    def __enter__(self) -> Self:
        self.keep()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._settle(error)

    def __repr__(self) -> str:
        return repr(self._core).replace("AsyncMessage", "Message", 1)
