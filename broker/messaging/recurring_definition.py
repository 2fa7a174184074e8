"""What a recurring message is: what was asked for, how it stands, and the message of a slot."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from broker.kernel.clock import from_ms, rfc3339
from broker.kernel.errors import FieldProblem
from broker.kernel.ids import AgentId, RecurringId
from broker.messaging import template
from broker.messaging.message import Draft
from broker.messaging.recurrence import CatchUp, Schedule, parse_schedule, upcoming


class RecurringState(StrEnum):
    """Where a recurring message stands."""

    ACTIVE = "active"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"  # its schedule has no slot left
    EXPIRED = "expired"  # its schedule has, but `expires_at` has come


@dataclass(frozen=True, kw_only=True)
class KeyUse:
    """An idempotency key, and a digest of what is asked for by it."""

    key: str
    fingerprint: str


@dataclass(frozen=True, kw_only=True)
class RecurringRequest:
    """What is asked for; `expires_at` in ms. The template's subject and body may name variables."""

    template: Draft
    schedule: str
    timezone: str = "UTC"
    expires_at: int | None = None
    catch_up: CatchUp = CatchUp.SKIP
    idempotency_key: str | None = None

    @property
    def sender(self) -> AgentId:
        """Whose messages they will be."""
        return self.template.sender

    @property
    def key_use(self) -> KeyUse | None:
        """Its idempotency key, with what tells it from another request under the same key."""
        if not self.idempotency_key:
            return None
        asked = msgspec.msgpack.encode(dataclasses.replace(self, idempotency_key=None))
        digest = hashlib.blake2b(asked, digest_size=16).hexdigest()
        return KeyUse(key=self.idempotency_key, fingerprint=digest)


class Definition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a recurring message was created as; it never changes. Times in ms.

    `template` is the message of each slot; its subject and body may name variables.
    """

    template: Draft
    schedule: str
    timezone: str
    created_at: int
    expires_at: int | None = None
    catch_up: CatchUp = CatchUp.SKIP

    def rhythm(self) -> Schedule:
        """Its schedule, whether or not it expires. Raises `InvalidFieldsError`."""
        return parse_schedule(self.schedule, self.timezone, anchor_ms=self.created_at)

    def slots(self, *, after_ms: int) -> Iterator[int]:
        """The slots later than `after_ms`, until it expires. Raises `InvalidFieldsError`."""
        return upcoming(self.rhythm(), after_ms=after_ms, until_ms=self.expires_at)

    def problems(self) -> Iterator[FieldProblem]:
        """What is wrong with the variables of its template."""
        for field, text in (("subject", self.template.subject), ("body", self.template.body)):
            problem = None if text is None else template.problem_of(text)
            if problem:
                yield FieldProblem(field=field, message=problem)

    def message(self, identifier: RecurringId, *, number: int, slot: int, now_ms: int) -> Draft:
        """The message of a slot, the `number`th that is sent."""
        draft, zone = self.template, ZoneInfo(self.timezone)
        values = {
            "count": str(number),
            "date": from_ms(slot).astimezone(zone).date().isoformat(),
            "id": identifier,
            "now": rfc3339(now_ms),
            "scheduled_at": rfc3339(slot),
        }
        return dataclasses.replace(
            draft,
            subject=None if draft.subject is None else template.rendered(draft.subject, values),
            body=None if draft.body is None else template.rendered(draft.body, values),
            correlation_id=draft.correlation_id or identifier,
        )


@dataclass(frozen=True, kw_only=True)
class Recurring:
    """A recurring message as it stands; times in ms, `sent`, `missed` and `failed` count slots."""

    id: RecurringId
    definition: Definition
    state: RecurringState
    next_at: int | None
    last_slot: int | None
    sent: int
    missed: int
    failed: int
    ended_at: int | None

    @property
    def sender(self) -> AgentId:
        """Whose messages they are."""
        return self.definition.template.sender


@dataclass(frozen=True, kw_only=True)
class RecurringFilter:
    """Which recurring messages are meant; None for any."""

    sender: AgentId | None = None
    state: RecurringState | None = None

    def accepts(self, recurring: Recurring) -> bool:
        """Whether this is one of them."""
        return (self.sender in {None, recurring.sender}) and (self.state in {None, recurring.state})


ANY: Final = RecurringFilter()
