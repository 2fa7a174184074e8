"""Recurring messages: as they are asked for, and as they are shown (SPEC S1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypedDict

import msgspec

from app.schemas.fields import Choice, Line, Moment, Whole, agent_id_field, recurring_id_field
from app.schemas.lists import page_limit
from app.schemas.messages import SendShape, moment
from app.schemas.shape import QueryShape, Shape
from broker.kernel.clock import rfc3339
from broker.kernel.ids import RecurringId
from broker.kernel.priority import display
from broker.messaging.message import Draft
from broker.messaging.recurrence import CatchUp
from broker.messaging.recurring_definition import (
    Recurring,
    RecurringFilter,
    RecurringRequest,
    RecurringState,
)
from broker.messaging.recurring_store import TurnRecord
from broker.messaging.wire import SaidView, Timestamp, targets_view

_PAGE: Final = 100
_TIMES: Final = 10
_OWN: Final = {
    "idempotency_key": "idempotency_key",
    "schedule": "schedule",
    "timezone": "timezone",
    "expires_at": "expires_at",
    "policy": "catch_up",
}


class RecurringShape(SendShape):
    """A message to be sent again and again: the same members, less those of a single sending."""

    class Meta(Shape.Meta):
        """What only one message can have."""

        exclude: ClassVar = (
            "deliver_at",
            "delay_ms",
            "epoch",
            "reply_to",
            "supersedes",
        )

    schedule = Line(
        200,
        required=True,
        description="interval:<seconds>, five cron fields, or at:<RFC 3339 time>.",
    )
    timezone = Line(64, description="Whose wall clock cron fields mean; UTC where none is named.")
    expires_at = Moment(description="Nothing is sent then or later.")
    policy = Choice(
        CatchUp,
        description="What becomes of times that passed while the station was down: skip leaves "
        "them out (the default), catch_up sends the newest hundred late.",
    )

    def build(self, values: dict[str, Any]) -> RecurringRequest:  # type: ignore[override] # not a draft, but what holds one
        """The request that the broker takes."""
        own = {_OWN[name]: values.pop(name) for name in _OWN if name in values}
        return RecurringRequest(template=Draft(**values), **own)


@dataclass(frozen=True, kw_only=True)
class FindRecurring:
    """A page of the recurring messages that are meant."""

    wanted: RecurringFilter
    limit: int
    before: RecurringId | None


class FindRecurringShape(QueryShape[FindRecurring]):
    """Which recurring messages to list, newest first."""

    sender = agent_id_field(data_key="from")
    state = Choice(RecurringState, data_key="status")
    limit = page_limit()
    before = recurring_id_field(data_key="cursor", description="Go on behind this one.")

    def build(self, values: dict[str, Any]) -> FindRecurring:
        """The page that is asked for."""
        count, before = values.pop("limit", _PAGE), values.pop("before", None)
        return FindRecurring(wanted=RecurringFilter(**values), limit=count, before=before)


@dataclass(frozen=True, kw_only=True)
class HistoryPage:
    """A page of what became of the times; `before` in ms."""

    limit: int
    before: int | None


class HistoryPageShape(QueryShape[HistoryPage]):
    """Which part of the history, newest first."""

    limit = page_limit()
    before = Moment(data_key="cursor", description="Go on with what was scheduled before.")

    def build(self, values: dict[str, Any]) -> HistoryPage:
        """The page that is asked for."""
        return HistoryPage(limit=values.get("limit", _PAGE), before=values.get("before"))


class NextTimesShape(QueryShape[int]):
    """How many times ahead."""

    count = Whole(1, 100, description=f"So many; {_TIMES} where nothing is said.")

    def build(self, values: dict[str, Any]) -> int:
        """How many."""
        return int(values.get("count", _TIMES))


class EmptyShape(Shape[dict[str, Any]]):
    """Nothing needs to be said."""


class RecurringView(SaidView):
    """A recurring message: what it says, when, and how far it is."""

    id: str
    thread_id: str | None
    schedule: str
    timezone: str
    policy: str
    status: str
    created_at: Timestamp
    expires_at: Timestamp | None
    next_at: Timestamp | None
    ended_at: Timestamp | None
    sent: int
    missed: int
    failed: int


class RecurringListView(TypedDict):
    """A page of recurring messages; the cursor is null at the end."""

    recurring: list[RecurringView]
    cursor: str | None


class TurnView(TypedDict):
    """What became of a scheduled time, or of `count` of them until `last_scheduled_at`."""

    scheduled_at: Timestamp
    last_scheduled_at: Timestamp
    at: Timestamp
    outcome: str
    count: int
    message_id: str | None
    code: str | None
    detail: str | None


class RecurringHistoryView(TypedDict):
    """A page of the history; the cursor is null at the end."""

    history: list[TurnView]
    cursor: str | None


class NextTimesView(TypedDict):
    """When it will be sent, as far as is known."""

    next_times: list[Timestamp]


def recurring_view(one: Recurring) -> RecurringView:
    """A recurring message as its sender and operators see it; encode with `msgspec.json`."""
    definition = one.definition
    template = definition.template
    return {
        "id": one.id,
        "from": template.sender,
        "to": targets_view(template.to),
        "kind": template.kind,
        "priority": display(template.priority),
        "subject": template.subject,
        "body": template.body,
        "payload": None if template.payload is None else msgspec.Raw(template.payload),
        "meta": None if template.meta is None else msgspec.Raw(template.meta),
        "channel": template.channel,
        "thread_id": template.thread_id,
        "schedule": definition.schedule,
        "timezone": definition.timezone,
        "policy": definition.catch_up.value,
        "status": one.state.value,
        "created_at": rfc3339(definition.created_at),
        "expires_at": moment(definition.expires_at),
        "next_at": moment(one.next_at),
        "ended_at": moment(one.ended_at),
        "sent": one.sent,
        "missed": one.missed,
        "failed": one.failed,
    }


def turn_view(turn: TurnRecord) -> TurnView:
    """An entry of the history."""
    return {
        "scheduled_at": rfc3339(turn.slot),
        "last_scheduled_at": rfc3339(turn.slot if turn.last_slot is None else turn.last_slot),
        "at": rfc3339(turn.at),
        "outcome": turn.outcome.value,
        "count": turn.count,
        "message_id": turn.message_id,
        "code": turn.code,
        "detail": turn.detail,
    }


RECURRING: Final = RecurringShape()
FIND_RECURRING: Final = FindRecurringShape()
HISTORY_PAGE: Final = HistoryPageShape()
NEXT_TIMES: Final = NextTimesShape()
EMPTY: Final = EmptyShape()
