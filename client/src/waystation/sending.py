"""Sending: one message a call, and as many a request as are sent at the same time."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from waystation.answers import Accepted, Batch, BatchResult, Problem
from waystation.errors import (
    ProblemError,
    RequestTooLargeError,
    UnexpectedAnswerError,
    WaystationError,
    error_of,
)
from waystation.grouping import AT_MOST, Grouping
from waystation.patience import PASSES
from waystation.transport import Call, Pauses, Transport, at

_POSITION: Final = re.compile(r"^messages\.\d+\.?")


class _ForNow(Exception):  # noqa: N818 - never leaves this module
    """This one message is refused now, and may be taken later; the others go on."""

    def __init__(self, error: WaystationError) -> None:
        super().__init__(str(error))
        self.error = error


class Sending:
    """Sends messages, those of concurrent calls in one request.

    Each is a document with `from`, `to` and an `idempotency_key`, by which it can be said again
    without being stored again.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._grouping: Grouping[msgspec.Raw, Accepted] = Grouping(
            self._together, size=lambda raw: len(memoryview(raw))
        )

    async def send(self, draft: Mapping[str, Any]) -> Accepted:
        """Send one. Raises what it is refused with, the others that went along or not."""
        return await self._sent(msgspec.Raw(msgspec.json.encode(draft)))

    async def send_many(
        self, drafts: Iterable[Mapping[str, Any]]
    ) -> Sequence[Accepted | ProblemError]:
        """Send any number, in order; what each was accepted or refused with, in the same order.

        Raises `UnreachableError` if the station stays away: those before may have been stored.
        """
        outcomes: list[Accepted | ProblemError] = []
        waiting = (msgspec.Raw(msgspec.json.encode(draft)) for draft in drafts)
        while some := list(itertools.islice(waiting, AT_MOST)):
            futures = [self._grouping.submit(raw) for raw in some]
            results = await asyncio.gather(*futures, return_exceptions=True)
            again = [
                self._sent(raw)
                for raw, result in zip(some, results, strict=True)
                if isinstance(result, _ForNow)
            ]
            later = iter(await asyncio.gather(*again, return_exceptions=True))
            for result in results:
                outcome = next(later) if isinstance(result, _ForNow) else result
                if not isinstance(outcome, (Accepted, ProblemError)):
                    raise outcome
                outcomes.append(outcome)
        return outcomes

    async def _sent(self, raw: msgspec.Raw) -> Accepted:
        pauses = Pauses(self._transport.retrying.seconds)
        while True:
            try:
                return await self._grouping.submit(raw)
            except _ForNow as refusal:
                error = refusal.error
                after = error.retry_after_seconds if isinstance(error, ProblemError) else None
                if not await pauses.take(after):
                    raise error from None

    async def _together(self, drafts: Sequence[msgspec.Raw]) -> Sequence[Accepted | Exception]:
        if len(drafts) == 1:
            return [await self._alone(drafts[0])]
        call = Call(method="POST", path=at("messages", "batch"), body={"messages": drafts})
        try:
            batch = await self._transport.ask(call, Batch)
        except RequestTooLargeError:
            # The station takes less at once than usual.
            half = len(drafts) // 2
            return [*await self._together(drafts[:half]), *await self._together(drafts[half:])]
        return [_outcome(one) for one in batch.results]

    async def _alone(self, draft: msgspec.Raw) -> Accepted | Exception:
        # Tried once: what hinders this one, as a full inbox does, must not hold up the next.
        call = Call(method="POST", path=at("messages"), body=draft, once=True)
        try:
            return await self._transport.ask(call, Accepted)
        except PASSES as error:
            return _ForNow(error)
        except WaystationError as error:
            return error


def _outcome(result: BatchResult) -> Accepted | Exception:
    if result.problem is not None:
        error = error_of(_of_one(result.problem))
        return _ForNow(error) if isinstance(error, PASSES) else error
    if result.id is None or result.thread_id is None or result.accepted_at is None:
        return UnexpectedAnswerError("The station accepted a message without saying which.")
    return Accepted(
        id=result.id,
        status=result.status,
        created=bool(result.created),
        thread_id=result.thread_id,
        accepted_at=result.accepted_at,
    )


def _of_one(problem: Problem) -> Problem:
    """The problem of a message as if it had been sent alone: fields without its position."""
    fields = [
        msgspec.structs.replace(one, field=_POSITION.sub("", one.field)) for one in problem.errors
    ]
    return msgspec.structs.replace(problem, errors=fields)
