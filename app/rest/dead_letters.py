"""Dead letters: listing them, and trying them again or closing their case (SPEC D1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from apiflask import APIBlueprint
from flask import Response

from app.access import ITS_RECIPIENT, OPERATOR, VISIBLE, VISIBLE_OF_ALL, viewer
from app.context import broker
from app.errors import problem
from app.json_document import answer
from app.rest.operation import operation
from app.schemas.dead_letters import (
    FIND_DEAD_LETTERS,
    RESOLVE,
    RESOLVE_MATCHING,
    RETRY,
    RETRY_MATCHING,
    ClosedManyView,
    ClosedView,
    DeadLettersView,
    DeadLetterView,
    FindDeadLetters,
    Matching,
    dead_letter_view,
)
from broker.kernel.errors import BrokerError
from broker.kernel.ids import DeadLetterId
from broker.messaging.dead_letters import DeadLetterStatus

dead_letters = APIBlueprint("dead_letters", __name__)

_ERRORS: Final = ("dead_letter_not_found", "dead_letter_closed")


@dead_letters.get("/dead-letters")
@operation(
    "findDeadLetters",
    access=VISIBLE_OF_ALL,
    query=FIND_DEAD_LETTERS,
    answers={200: DeadLettersView},
)
def find(query: FindDeadLetters) -> Response:
    """List dead letters, newest first."""
    found, cursor = broker().dead_letters.find(
        query.wanted, limit=query.limit, before=query.before, viewer=viewer()
    )
    return answer(
        DeadLettersView(dead_letters=[dead_letter_view(one) for one in found], cursor=cursor)
    )


@dead_letters.get("/dead-letters/<dead_letter_id>")
@operation(
    "getDeadLetter",
    access=VISIBLE,
    answers={200: DeadLetterView},
    errors=("dead_letter_not_found",),
)
def get(dead_letter_id: DeadLetterId) -> Response:
    """Show a dead letter with the history of its attempts."""
    return answer(dead_letter_view(broker().dead_letters.get(dead_letter_id, viewer())))


@dead_letters.post("/dead-letters/<dead_letter_id>/retry")
@operation(
    "retryDeadLetter",
    access=ITS_RECIPIENT,
    body=RETRY,
    optional=True,
    answers={200: ClosedView},
    errors=(*_ERRORS, "message_not_found"),
)
def retry(dead_letter_id: DeadLetterId, body: object) -> Response:
    """Put the message back into its inbox, with its attempts anew."""
    del body
    message_id = broker().dead_letters.retry(dead_letter_id, viewer())
    return answer(
        ClosedView(id=dead_letter_id, status=DeadLetterStatus.RETRIED.value, message_id=message_id)
    )


@dead_letters.post("/dead-letters/<dead_letter_id>/resolve")
@operation(
    "resolveDeadLetter",
    access=ITS_RECIPIENT,
    body=RESOLVE,
    example={"resolution": "sent by hand"},
    answers={200: ClosedView},
    errors=_ERRORS,
)
def resolve(dead_letter_id: DeadLetterId, body: str) -> Response:
    """Close the case without delivering."""
    broker().dead_letters.resolve(dead_letter_id, body, viewer())
    return answer(ClosedView(id=dead_letter_id, status=DeadLetterStatus.RESOLVED.value))


@dead_letters.post("/dead-letters/retry")
@operation(
    "retryDeadLetters",
    access=OPERATOR,
    body=RETRY_MATCHING,
    optional=True,
    example={"agent": "bob"},
    answers={200: ClosedManyView},
)
def retry_matching(body: Matching) -> Response:
    """Retry the open dead letters that match, newest first; a result each."""
    results = broker().dead_letters.retry_matching(body.wanted, limit=body.limit)
    return answer(_results(results, DeadLetterStatus.RETRIED))


@dead_letters.post("/dead-letters/resolve")
@operation(
    "resolveDeadLetters",
    access=OPERATOR,
    body=RESOLVE_MATCHING,
    example={"agent": "bob", "resolution": "bob is retired"},
    answers={200: ClosedManyView},
)
def resolve_matching(body: Matching) -> Response:
    """Resolve the open dead letters that match, newest first; a result each."""
    results = broker().dead_letters.resolve_matching(body.wanted, body.resolution, limit=body.limit)
    return answer(_results(results, DeadLetterStatus.RESOLVED))


def _results(
    results: Sequence[tuple[DeadLetterId, BrokerError | None]], status: DeadLetterStatus
) -> ClosedManyView:
    return {
        "results": [
            {"id": letter, "status": status.value}
            if refusal is None
            else {"id": letter, "problem": problem(refusal)}
            for letter, refusal in results
        ]
    }
