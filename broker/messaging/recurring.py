"""Recurring messages: created once, sent at every slot of their schedule (SPEC S1).

Why a slot is neither lost nor sent twice: what is still to be sent is one number, `next_at`, in
the record of the recurring message. `fire_recurring.lua` compares it with the slot, stores the
message and moves `next_at` on, all in one step. So whoever fires, however often, and wherever it
is killed: either the slot has been sent and `next_at` is past it, or neither. Pausing and
cancelling change the same record, so that no slot is sent after their answer. No idempotency key
is needed, and no window in which one is remembered.

Wake-ups decide nothing. rq-scheduler has one for each recurring message at its `next_at`; `fire`
sets the next one after it moved on. One that is lost is made up for by `fire_overdue`, every five
seconds.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

import structlog

from broker.kernel.clock import Clock
from broker.kernel.errors import (
    BrokerError,
    ConflictError,
    FieldProblem,
    IdempotencyConflictError,
    InvalidFieldsError,
    RecurringNotFoundError,
    StorageUnavailableError,
)
from broker.kernel.ids import RecurringId, new_id
from broker.kernel.viewer import EVERYONE, Viewer, includes
from broker.messaging.queue import MessageQueue
from broker.messaging.recurrence import (
    Turn,
    next_turn,
)
from broker.messaging.recurring_definition import (
    ANY,
    Definition,
    Recurring,
    RecurringFilter,
    RecurringRequest,
    RecurringState,
)
from broker.messaging.recurring_store import (
    RecurringStore,
    SlotPassedError,
    TurnOutcome,
    TurnRecord,
)
from broker.storage.timetable import Timetable

# How much one call of `fire` does: it holds a worker for so long, and is called again for the rest.
_TURNS: Final = 200
_OVERDUE: Final = 200
# Twice the time between two sweeps: whatever comes due before the next one has its wake-up.
_LOOK_AHEAD_MS: Final = 10_000
_TRIES: Final = 10
_ENDED: Final = frozenset(
    {RecurringState.CANCELLED, RecurringState.FINISHED, RecurringState.EXPIRED}
)

_log = structlog.get_logger(__name__)


class RecurringEndedError(ConflictError):
    """The recurring message was cancelled, or its last slot has been."""

    code = "recurring_ended"


class RecurringMessages:
    """Creates recurring messages, sends what is due of them, and says what became of each slot.

    They are their sender's: for viewers who are not it, they are not there (SPEC Z2).
    """

    def __init__(
        self, store: RecurringStore, queue: MessageQueue, timetable: Timetable, clock: Clock
    ) -> None:
        self._store = store
        self._queue = queue
        self._timetable = timetable
        self._clock = clock

    # --- creating and changing --------------------------------------------------------------

    def create(self, request: RecurringRequest) -> tuple[Recurring, bool]:
        """Begin a recurring message; the first slot of an interval comes one interval from now.

        False where its idempotency key was repeated: then it is the one that was begun first.
        Raises `InvalidFieldsError` with every problem, `IdempotencyConflictError`, or what
        `MessageQueue.send` would.
        """
        use = request.key_use
        # Before anything is checked: the only slot of the first call may have passed by now.
        if use and (first := self._store.first_use(request.sender, use.key)):
            identifier, fingerprint = first
            if fingerprint != use.fingerprint:
                raise _conflict(request)
            return self.get(identifier), False
        now = self._clock()
        definition = Definition(
            template=request.template,
            schedule=request.schedule,
            timezone=request.timezone,
            created_at=now,
            expires_at=request.expires_at,
            catch_up=request.catch_up,
        )
        partition = self._store.keys.partition_for(request.template.sender)
        identifier = RecurringId(new_id("rec", at_ms=now, partition=partition))
        next_at = self._first_slot(identifier, definition)
        if not self._store.create(identifier, definition, next_at, use):
            return self.create(request)  # another call with this key was faster
        self._timetable.arm({identifier: next_at})
        return self.get(identifier), True

    def pause(self, identifier: RecurringId, viewer: Viewer = EVERYONE) -> Recurring:
        """Send no slot from now on. Raises `RecurringNotFoundError`, `RecurringEndedError`."""
        self.get(identifier, viewer)
        self._accept(identifier, self._store.pause(identifier).name)
        self._timetable.disarm(identifier)
        return self.get(identifier)

    def resume(self, identifier: RecurringId, viewer: Viewer = EVERYONE) -> Recurring:
        """Go on with the first slot that lies ahead; those of the pause do not count as missed.

        Raises `RecurringNotFoundError`, `RecurringEndedError`.
        """
        for _ in range(_TRIES):
            recurring = self.get(identifier, viewer)
            if recurring.state is RecurringState.ACTIVE:
                return recurring
            if recurring.state in _ENDED:
                raise _ended(identifier)
            # The clock of whoever sent the last slot may have been ahead of ours.
            after = max(self._clock(), recurring.last_slot or 0)
            next_at = next(recurring.definition.slots(after_ms=after), None)
            if next_at is None:
                raise RecurringEndedError(
                    f"Recurring message {identifier} has no slot left. Cancel it, or make another."
                )
            if self._store.resume(recurring, next_at) == "resumed":
                self._timetable.arm({identifier: next_at})
        raise StorageUnavailableError(
            f"{identifier} is being changed by many at once. Try again.", retry_after_seconds=1
        )

    def cancel(self, identifier: RecurringId, viewer: Viewer = EVERYONE) -> Recurring:
        """End it for good; what was sent stays. Raises `RecurringNotFoundError`, `…EndedError`."""
        recurring = self.get(identifier, viewer)
        self._accept(identifier, self._store.cancel(identifier).name)
        self._timetable.disarm(identifier)
        return self._store.read([identifier])[0] or recurring

    # --- looking ----------------------------------------------------------------------------

    def get(self, identifier: RecurringId, viewer: Viewer = EVERYONE) -> Recurring:
        """One recurring message. Raises `RecurringNotFoundError`."""
        recurring = self._store.read([identifier])[0]
        if recurring is None or not includes(viewer, recurring.sender):
            raise _unknown(identifier)
        return recurring

    def find(
        self,
        wanted: RecurringFilter = ANY,
        *,
        limit: int,
        before: RecurringId | None = None,
        viewer: Viewer = EVERYONE,
    ) -> tuple[list[Recurring], RecurringId | None]:
        """Those that are meant, newest first, and where to go on."""
        listed = self._store.identifiers(viewer)
        names = [name for name in listed if before is None or name < before]
        found: list[Recurring] = []
        for start in range(0, len(names), 200):
            for recurring in self._store.read(names[start : start + 200]):
                if (
                    recurring is not None
                    and wanted.accepts(recurring)
                    and includes(viewer, recurring.sender)
                ):
                    found.append(recurring)
                    if len(found) > limit:
                        return found[:limit], found[limit - 1].id
        return found, None

    def history(
        self,
        identifier: RecurringId,
        *,
        limit: int,
        before: int | None = None,
        viewer: Viewer = EVERYONE,
    ) -> tuple[list[TurnRecord], int | None]:
        """What became of the slots, newest first, and before which slot to go on."""
        self.get(identifier, viewer)
        turns = self._store.history(identifier)
        found = [turn for turn in turns if before is None or turn.slot < before]
        return found[:limit], found[limit - 1].slot if len(found) > limit else None

    def next_times(
        self, identifier: RecurringId, count: int, viewer: Viewer = EVERYONE
    ) -> list[int]:
        """The next slots in ms, as they would come if it were resumed now; none for an ended one.

        Raises `RecurringNotFoundError`.
        """
        recurring = self.get(identifier, viewer)
        if recurring.state in _ENDED:
            return []
        after = max(self._clock(), recurring.last_slot or 0)
        if recurring.next_at is not None:
            after = recurring.next_at - 1
        return list(islice(recurring.definition.slots(after_ms=after), count))

    # --- sending ----------------------------------------------------------------------------

    def fire(self, identifier: RecurringId) -> int:
        """Send what is due of one recurring message; how many steps that took.

        Safe to call at any time, by any number of processes. A slot whose message is refused (the
        recipient is gone, its inbox full) is over: the history has the reason. Raises
        `StorageUnavailableError`; then the slot is still to be sent.
        """
        turns = 0
        recurring = self._store.read([identifier])[0]
        for _ in range(_TURNS):
            turn = self._turn(recurring) if recurring else None
            if recurring is None or turn is None:
                break
            try:
                self._take(recurring, turn)
                turns += 1
            except SlotPassedError:
                _log.debug("recurring.passed", recurring_id=identifier, slot=turn.first)
            recurring = self._store.read([identifier])[0]
        # Called too early, the clock of the scheduler is ahead of ours: another wake-up would come
        # at once. The sweep sets it.
        if turns and recurring is not None and recurring.next_at is not None:
            self._timetable.arm({identifier: recurring.next_at})
        return turns

    def fire_overdue(self) -> int:
        """Make up for lost wake-ups: send what is due, and set what comes due soon."""
        now = self._clock()
        soon: dict[str, int] = {}
        turns = 0
        for identifier, slot in self._store.due(now + _LOOK_AHEAD_MS, _OVERDUE):
            if slot <= now:
                turns += self.fire(identifier)
            else:
                soon[identifier] = slot
        self._timetable.arm(soon)
        self._store.trim(now)
        return turns

    def _turn(self, recurring: Recurring) -> Turn | None:
        if recurring.next_at is None:
            return None
        definition = recurring.definition
        return next_turn(
            definition.rhythm(),
            next_at=recurring.next_at,
            now_ms=self._clock(),
            until_ms=definition.expires_at,
            catch_up=definition.catch_up,
        )

    def _take(self, recurring: Recurring, turn: Turn) -> None:
        """Carry out one turn. Raises `SlotPassedError`, `StorageUnavailableError`."""
        now = self._clock()
        ended = RecurringState.FINISHED
        if turn.then is None and recurring.definition.rhythm().after(turn.last) is not None:
            ended = RecurringState.EXPIRED
        if not turn.sends:
            self._store.pass_over(recurring.id, turn, ended, TurnOutcome.MISSED, _missed(turn, now))
            return
        transition = self._store.firing(recurring.id, turn, ended)
        try:
            self._queue.send_by(
                transition,
                recurring.definition.message(
                    recurring.id, number=recurring.sent + 1, slot=turn.first, now_ms=now
                ),
            )
        except StorageUnavailableError:
            raise
        except BrokerError as error:
            entry = TurnRecord(
                slot=turn.first,
                at=now,
                outcome=TurnOutcome.FAILED,
                code=error.code,
                detail=error.detail,
            )
            self._store.pass_over(recurring.id, turn, ended, TurnOutcome.FAILED, entry)
            _log.info("recurring.failed", recurring_id=recurring.id, code=error.code)

    # --- checks -----------------------------------------------------------------------------

    def _first_slot(self, identifier: RecurringId, definition: Definition) -> int:
        problems = list(definition.problems())
        next_at = None
        try:
            next_at = next(definition.slots(after_ms=definition.created_at), None)
            if next_at is None:
                problems.append(
                    FieldProblem(field="schedule", message="has no slot ahead, before expires_at")
                )
        except InvalidFieldsError as error:
            problems += error.problems
        sample = definition.template
        if not problems:
            now = definition.created_at
            sample = definition.message(identifier, number=1, slot=now, now_ms=now)
        try:
            self._queue.check(sample)
        except InvalidFieldsError as error:
            problems += error.problems
        except BrokerError:
            if not problems:
                raise
        if problems or next_at is None:
            raise InvalidFieldsError(problems)
        return next_at

    @staticmethod
    def _accept(identifier: RecurringId, outcome: str) -> None:
        if outcome == "unknown":
            raise _unknown(identifier)
        if outcome == "ended":
            raise _ended(identifier)


def _missed(turn: Turn, now: int) -> TurnRecord | None:
    if not turn.missed:
        return None
    return TurnRecord(
        slot=turn.first,
        at=now,
        outcome=TurnOutcome.MISSED,
        last_slot=turn.last,
        count=turn.missed,
    )


def _unknown(identifier: RecurringId) -> RecurringNotFoundError:
    return RecurringNotFoundError(f"No recurring message {identifier} is kept.")


def _conflict(request: RecurringRequest) -> IdempotencyConflictError:
    return IdempotencyConflictError(
        f"{request.sender} used this idempotency key for a different recurring message. "
        "Use a new key, or ask for exactly the first one again.",
        problems=[FieldProblem(field="idempotency_key", message="stands for another one")],
    )


def _ended(identifier: RecurringId) -> RecurringEndedError:
    return RecurringEndedError(
        f"Recurring message {identifier} has ended and can't be changed. Make another."
    )
