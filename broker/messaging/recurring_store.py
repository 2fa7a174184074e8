"""The records of recurring messages in Redis: one hash each, in its sender's partition.

All of a recurring message lies with what its sender sends, so that storing a message and moving
on to the next slot are one step of one script (`fire_recurring.lua`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec

from broker.kernel.ids import AgentId, MessageId, Partition, RecurringId
from broker.messaging.outgoing_store import Outgoing, OutgoingStore, accepted
from broker.messaging.queue import Transition
from broker.messaging.recurrence import Turn
from broker.messaging.recurring_definition import Definition, KeyUse, Recurring, RecurringState
from broker.storage.scripts import Argument, Outcome, Script

_LUA: Final = Path(__file__).parent / "lua"
_SCRIPTS: Final = ("cancel", "create", "fire", "pass", "pause", "resume")
_FIELDS: Final = (
    "definition",
    "state",
    "next_at",
    "last_slot",
    "sent",
    "missed",
    "failed",
    "ended_at",
)
HISTORY_KEPT: Final = 1_000


class TurnOutcome(StrEnum):
    """What became of a slot."""

    SENT = "sent"
    MISSED = "missed"
    FAILED = "failed"


class TurnRecord(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An entry of the history; times in ms. One for many where slots were missed in a row."""

    slot: int
    at: int
    outcome: TurnOutcome
    message_id: MessageId | None = None
    code: str | None = None
    detail: str | None = None
    last_slot: int | None = None
    count: int = 1


class SlotPassedError(Exception):
    """The slot is not the next one any more: another process sent it, or it was paused."""


class RecurringStore:
    """Transitions of recurring messages; each is one Lua file of `messaging/lua`."""

    def __init__(
        self,
        outgoing: OutgoingStore,
        *,
        retention_ms: int,
        idempotency_ms: int,
        activity_cap: int,
    ) -> None:
        self._outgoing = outgoing
        self._redis = outgoing.redis
        self.keys = outgoing.keys
        self._retention_ms = retention_ms
        self._idempotency_ms = idempotency_ms
        self._activity_cap = activity_cap
        self._scripts = {name: Script.load(_LUA, f"{name}_recurring") for name in _SCRIPTS}

    # --- moves ------------------------------------------------------------------------------

    def create(
        self, identifier: RecurringId, definition: Definition, next_at: int, use: KeyUse | None
    ) -> bool:
        """Begin a recurring message; False where the idempotency key is used already."""
        sender = definition.template.sender
        outcome = self._move(
            "create",
            identifier,
            {
                "definition": msgspec.msgpack.encode(definition),
                "next_at": next_at,
                "fingerprint": use.fingerprint if use else "",
                "idempotency_ms": self._idempotency_ms,
            },
            first_use=self.keys.recurring_idempotency(sender, use.key)
            if use
            else self.keys.recurring(identifier),
        )
        return outcome.name == "created"

    def first_use(self, sender: AgentId, key: str) -> tuple[RecurringId, str] | None:
        """The recurring message and fingerprint that a sender's idempotency key stands for."""
        found = self._redis.command("GET", self.keys.recurring_idempotency(sender, key))
        if found is None:
            return None
        identifier, _, fingerprint = found.decode().partition(" ")
        return RecurringId(identifier), fingerprint

    def pause(self, identifier: RecurringId) -> Outcome:
        """Stop sending: paused, unknown or ended <state>."""
        return self._move("pause", identifier, {})

    def resume(self, recurring: Recurring, next_at: int) -> str:
        """Send again, if it still is as it was read: resumed, changed or unknown."""
        last_slot = "" if recurring.last_slot is None else recurring.last_slot
        arguments: dict[str, Argument] = {"last_slot": last_slot, "next_at": next_at}
        return self._move("resume", recurring.id, arguments).name

    def cancel(self, identifier: RecurringId) -> Outcome:
        """End it: cancelled, unknown or ended <state>."""
        return self._move("cancel", identifier, {"retention_ms": self._retention_ms})

    def firing(self, identifier: RecurringId, turn: Turn, ended: RecurringState) -> Transition:
        """What stores the message of a slot and moves on, in one step.

        It raises `SlotPassedError`; nothing was stored then.
        """
        shared = {"counters", "activity"}
        keys = {n: key for n, key in self._keys_of(identifier).items() if n not in shared}

        def fire(
            partition: Partition, outgoing: Sequence[Outgoing], now_ms: int
        ) -> tuple[bool, list[list[Any]]]:
            (one,) = outgoing
            entry = TurnRecord(
                slot=turn.first, at=now_ms, outcome=TurnOutcome.SENT, message_id=one.message.id
            )
            outcome = self._redis.call(
                self._outgoing.acceptance(partition, outgoing, now_ms).by(
                    self._scripts["fire"],
                    keys=keys,
                    args=self._turn_arguments(identifier, turn, ended, entry),
                )
            )
            if outcome.name == "passed":
                raise SlotPassedError
            return accepted(outcome)

        return fire

    def pass_over(
        self,
        identifier: RecurringId,
        turn: Turn,
        ended: RecurringState,
        counter: TurnOutcome,
        entry: TurnRecord | None,
    ) -> None:
        """Move on without a message. Raises `SlotPassedError`."""
        arguments = {
            **self._turn_arguments(identifier, turn, ended, entry),
            "last_slot": turn.last,
            "counter": counter,
            "amount": entry.count if entry else 0,
        }
        if self._move("pass", identifier, arguments).name == "passed":
            raise SlotPassedError

    def _turn_arguments(
        self, identifier: RecurringId, turn: Turn, ended: RecurringState, entry: TurnRecord | None
    ) -> dict[str, Argument]:
        return {
            "recurring_id": identifier,
            "slot": turn.first,
            "next_at": "" if turn.then is None else turn.then,
            "ended_state": ended,
            "entry": msgspec.msgpack.encode(entry) if entry else "",
            "retention_ms": self._retention_ms,
            "turns_kept": HISTORY_KEPT,
        }

    def _keys_of(self, identifier: RecurringId) -> dict[str, str]:
        partition = self.keys.partition_of(identifier)
        return {
            "recurring": self.keys.recurring(identifier),
            "index": self.keys.recurring_index(partition),
            "due": self.keys.recurring_due(partition),
            "turns": self.keys.recurring_history(identifier),
            "counters": self.keys.counters(partition),
            "activity": self.keys.activity(partition),
        }

    def _move(
        self, name: str, identifier: RecurringId, args: dict[str, Argument], **more_keys: str
    ) -> Outcome:
        return self._redis.call(
            self._scripts[name].bind(
                keys=self._keys_of(identifier) | more_keys,
                args={"recurring_id": identifier, "activity_cap": self._activity_cap, **args},
            )
        )

    # --- reads ------------------------------------------------------------------------------

    def read(self, identifiers: Sequence[RecurringId]) -> list[Recurring | None]:
        """These recurring messages, None where there is none; one trip for all."""
        found = self._redis.commands(
            [("HMGET", self.keys.recurring(identifier), *_FIELDS) for identifier in identifiers]
        )
        return [
            _recurring(identifier, fields)
            for identifier, fields in zip(identifiers, found, strict=True)
        ]

    def identifiers(self, senders: Iterable[AgentId] | None = None) -> list[RecurringId]:
        """The ids of all recurring messages, newest first; one trip.

        Where senders are named, of those that live in the same partitions as theirs.
        """
        partitions = (
            self._partitions()
            if senders is None
            else {self.keys.partition_for(sender) for sender in senders}
        )
        found = self._redis.commands(
            [("ZRANGE", self.keys.recurring_index(number), 0, -1) for number in partitions]
        )
        names = (RecurringId(name.decode()) for names in found for name in names)
        return sorted(names, reverse=True)

    def history(self, identifier: RecurringId) -> list[TurnRecord]:
        """The entries of the history, newest first."""
        entries = self._redis.command("LRANGE", self.keys.recurring_history(identifier), 0, -1)
        return [msgspec.msgpack.decode(entry, type=TurnRecord) for entry in entries]

    def due(self, until_ms: int, limit: int) -> list[tuple[RecurringId, int]]:
        """Active recurring messages whose next slot comes by then, with it; one trip."""
        options = ("BYSCORE", "LIMIT", 0, limit, "WITHSCORES")
        found = self._redis.commands(
            [
                ("ZRANGE", self.keys.recurring_due(number), "-inf", until_ms, *options)
                for number in self._partitions()
            ]
        )
        return [
            (RecurringId(name.decode()), int(float(score)))
            for entries in found
            for name, score in zip(entries[::2], entries[1::2], strict=True)
        ]

    def trim(self, now_ms: int) -> None:
        """Strike those off the index that have left."""
        self._redis.commands(
            [
                ("ZREMRANGEBYSCORE", self.keys.recurring_index(number), "-inf", now_ms)
                for number in self._partitions()
            ]
        )

    def _partitions(self) -> Iterable[Partition]:
        return map(Partition, self.keys.all_partitions())


def _recurring(identifier: RecurringId, values: Sequence[bytes | None]) -> Recurring | None:
    fields = dict(zip(_FIELDS, values, strict=True))
    definition, state = fields["definition"], fields["state"]
    if definition is None or state is None:
        return None

    def number(name: str) -> int | None:
        value = fields[name]
        return None if value is None else int(value)

    return Recurring(
        id=identifier,
        definition=msgspec.msgpack.decode(definition, type=Definition),
        state=RecurringState(state.decode()),
        next_at=number("next_at"),
        last_slot=number("last_slot"),
        sent=number("sent") or 0,
        missed=number("missed") or 0,
        failed=number("failed") or 0,
        ended_at=number("ended_at"),
    )
