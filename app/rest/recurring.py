"""Recurring messages: creating, watching, pausing and cancelling them (SPEC S1)."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint
from flask import Response

from app.access import AS_SENDER, ITS_SENDER, VISIBLE_OF_ALL, viewer
from app.context import broker
from app.json_document import answer
from app.rest.messages import with_key
from app.rest.operation import operation
from app.schemas.messages import IDEMPOTENCY_HEADER, moment
from app.schemas.recurring import (
    EMPTY,
    FIND_RECURRING,
    HISTORY_PAGE,
    NEXT_TIMES,
    RECURRING,
    FindRecurring,
    HistoryPage,
    NextTimesView,
    RecurringHistoryView,
    RecurringListView,
    RecurringView,
    recurring_view,
    turn_view,
)
from broker.kernel.clock import rfc3339
from broker.kernel.ids import RecurringId
from broker.messaging.recurring_definition import RecurringRequest

recurring = APIBlueprint("recurring", __name__)

_EXAMPLE: Final = {
    "from": "alice",
    "to": "bob",
    "body": "Stand-up of {{date}}: what is next?",
    "schedule": "0 9 * * mon-fri",
    "timezone": "Europe/Berlin",
}
_ERRORS: Final = ("recurring_not_found", "recurring_ended")


@recurring.post("/recurring")
@operation(
    "createRecurring",
    access=AS_SENDER,
    body=RECURRING,
    example=_EXAMPLE,
    headers=IDEMPOTENCY_HEADER,
    answers={201: RecurringView, 200: RecurringView},
    errors=(
        "unknown_agent",
        "no_recipients",
        "message_too_large",
        "idempotency_conflict",
        "recurring_not_found",
    ),
)
def create(body: RecurringRequest, headers: str | None) -> Response:
    """Send a message again and again, on a schedule.

    Subject and body may name variables: {{count}}, {{date}}, {{id}}, {{now}}, {{scheduled_at}};
    {{{{ stands for two braces. 200: a repeat of an idempotency key finds the one that was begun
    first, or nothing (404) where that has ended and left since.
    """
    recurring_message, created = broker().recurring.create(with_key(body, headers))
    return answer(recurring_view(recurring_message), 201 if created else 200)


@recurring.get("/recurring")
@operation(
    "findRecurring", access=VISIBLE_OF_ALL, query=FIND_RECURRING, answers={200: RecurringListView}
)
def find(query: FindRecurring) -> Response:
    """List recurring messages, newest first."""
    found, cursor = broker().recurring.find(
        query.wanted, limit=query.limit, before=query.before, viewer=viewer()
    )
    return answer(
        RecurringListView(recurring=[recurring_view(one) for one in found], cursor=cursor)
    )


@recurring.get("/recurring/<recurring_id>")
@operation(
    "getRecurring", access=ITS_SENDER, answers={200: RecurringView}, errors=("recurring_not_found",)
)
def get(recurring_id: RecurringId) -> Response:
    """Show a recurring message and how often it was sent."""
    return answer(recurring_view(broker().recurring.get(recurring_id, viewer())))


@recurring.post("/recurring/<recurring_id>/pause")
@operation(
    "pauseRecurring",
    access=ITS_SENDER,
    body=EMPTY,
    optional=True,
    answers={200: RecurringView},
    errors=_ERRORS,
)
def pause(recurring_id: RecurringId, body: object) -> Response:
    """Send nothing until it is resumed; times that pass meanwhile are not made up for."""
    del body
    return answer(recurring_view(broker().recurring.pause(recurring_id, viewer())))


@recurring.post("/recurring/<recurring_id>/resume")
@operation(
    "resumeRecurring",
    access=ITS_SENDER,
    body=EMPTY,
    optional=True,
    answers={200: RecurringView},
    errors=_ERRORS,
)
def resume(recurring_id: RecurringId, body: object) -> Response:
    """Go on with the next time that lies ahead."""
    del body
    return answer(recurring_view(broker().recurring.resume(recurring_id, viewer())))


@recurring.delete("/recurring/<recurring_id>")
@operation("cancelRecurring", access=ITS_SENDER, answers={200: RecurringView}, errors=_ERRORS)
def cancel(recurring_id: RecurringId) -> Response:
    """End it for good; what was sent stays sent."""
    return answer(recurring_view(broker().recurring.cancel(recurring_id, viewer())))


@recurring.get("/recurring/<recurring_id>/history")
@operation(
    "getRecurringHistory",
    access=ITS_SENDER,
    query=HISTORY_PAGE,
    answers={200: RecurringHistoryView},
    errors=("recurring_not_found",),
)
def history(recurring_id: RecurringId, query: HistoryPage) -> Response:
    """Show what became of its times, newest first."""
    turns, cursor = broker().recurring.history(
        recurring_id, limit=query.limit, before=query.before, viewer=viewer()
    )
    return answer(
        RecurringHistoryView(history=[turn_view(one) for one in turns], cursor=moment(cursor))
    )


@recurring.get("/recurring/<recurring_id>/next")
@operation(
    "getNextTimes",
    access=ITS_SENDER,
    query=NEXT_TIMES,
    answers={200: NextTimesView},
    errors=("recurring_not_found",),
)
def next_times(recurring_id: RecurringId, query: int) -> Response:
    """Show when it will be sent; for a paused one, if it were resumed now."""
    times = broker().recurring.next_times(recurring_id, query, viewer())
    return answer(NextTimesView(next_times=[rfc3339(time) for time in times]))
