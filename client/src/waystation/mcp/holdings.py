"""What the model was handed and has not finished: kept leased, and given back in the end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Collection, Iterable, Iterator

from waystation.errors import ConflictError, NotFoundError, StaleLeaseError, WaystationError
from waystation.leases import Upkeep
from waystation.mcp.mailbox import Held, Mailbox, Rejection

_log = logging.getLogger(__name__)


class NotHeldError(WaystationError):
    """A message was to be finished that the model does not hold."""

    def __init__(self, message_id: str, held: list[str]) -> None:
        holds = (
            f"You hold {', '.join(held)}." if held else "You hold none; bus_wait gives you some."
        )
        super().__init__(f"You don't hold {message_id}: it was finished or given back. {holds}")


class Holdings:
    """The messages that the model holds, by id.

    Each is leased on while this process lives, for at most `hold_seconds`. Killed, it renews
    nothing any more, and the station gives the messages out again after `lease_seconds`.
    """

    def __init__(self, mailbox: Mailbox, *, hold_seconds: float) -> None:
        self._mailbox = mailbox
        self._hold_seconds = hold_seconds
        self._held: dict[str, Held] = {}
        self._upkeeps: dict[str, Upkeep] = {}
        self._losses: list[str] = []

    def __iter__(self) -> Iterator[Held]:
        return iter(list(self._held.values()))

    def __len__(self) -> int:
        return len(self._held)

    def get(self, message_id: str) -> Held:
        """What is held under this id. Raises `NotHeldError`."""
        held = self._held.get(message_id)
        if held is None:
            raise NotHeldError(message_id, list(self._held))
        return held

    def add(self, held: Iterable[Held]) -> None:
        """Hold these from now on."""
        for one in held:
            if one.id in self._held:
                self.drop(self._held[one.id])
            self._held[one.id] = one
            self._upkeeps[one.id] = Upkeep(functools.partial(self._renew, one))
            self._keep(one, lasts_seconds=self._mailbox.lease_seconds)

    def drop(self, held: Held) -> None:
        """It is finished, or lost; a later lease of the same message stays."""
        if self._held.get(held.id) is held:
            del self._held[held.id]
            self._upkeeps.pop(held.id).stop()

    @contextlib.contextmanager
    def finishing(self, message_id: str) -> Iterator[Held]:
        """Do what finishes it: then it is dropped. Raises `NotHeldError`.

        Meanwhile it is not renewed, or the renewal of what is just finished would count as a loss.
        """
        held = self.get(message_id)
        self._upkeeps[held.id].stop()
        try:
            yield held
        except StaleLeaseError:
            self.drop(held)
            raise
        except BaseException:
            if self._held.get(held.id) is held:
                self._keep(held, lasts_seconds=0)
            raise
        self.drop(held)

    def _keep(self, held: Held, *, lasts_seconds: float) -> None:
        began_at = asyncio.get_running_loop().time()
        self._upkeeps[held.id].begin(lasts_seconds=lasts_seconds, began_at=began_at)

    def losses(self) -> list[str]:
        """Sentences about what is no longer held, each told once."""
        told, self._losses = self._losses, []
        return told

    async def _renew(self, held: Held) -> float | None:
        """Keep it for longer; how long from now, or None where it is lost."""
        if time.monotonic() - held.since >= self._hold_seconds:
            self._lose(held, f"was held for {self._hold_seconds / 60:g} minutes and was given back")
            with contextlib.suppress(WaystationError):  # the lease ends by itself
                await self._mailbox.reject(held, Rejection(reason="It was held for too long."))
            return None
        try:
            await self._mailbox.renew(held)
        except (ConflictError, NotFoundError):
            self._lose(held, "is no longer yours: its lease ended")
            return None
        return self._mailbox.lease_seconds

    def _lose(self, held: Held, why: str) -> None:
        if self._held.get(held.id) is held:
            self.drop(held)
            self._losses.append(f"{held.id} from {held.message.from_} {why}. Stop working on it.")

    async def give_back_all(self) -> None:
        """Let others have what is still held, at once."""
        await self.give_back(list(self))

    async def give_back(self, held: Collection[Held]) -> None:
        """Let others have these, at once; to have been held by a model counts as no failure."""
        for one in held:
            self.drop(one)
        try:
            await self._mailbox.give_back(held)
        except WaystationError as error:
            ids = ", ".join(one.id for one in held)
            _log.warning("Only when their leases end others have %s: %s", ids, error)
