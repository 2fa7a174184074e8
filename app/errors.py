"""Errors as callers see them: RFC 9457 problem documents, and the one table code → status."""

from __future__ import annotations

import math
from collections.abc import Iterable
from http import HTTPStatus
from typing import Final, TypedDict

from broker.kernel.errors import BrokerError, FieldProblem
from config.redaction import without_secrets

MEDIA_TYPE: Final = "application/problem+json"
WHOLE: Final = "$"
"""The field that problems of a document as a whole are reported under."""

_S = HTTPStatus
STATUS_OF: Final[dict[str, HTTPStatus]] = {
    "malformed": _S.BAD_REQUEST,
    "unauthenticated": _S.UNAUTHORIZED,
    "forbidden": _S.FORBIDDEN,
    "foreign_origin": _S.FORBIDDEN,
    "not_found": _S.NOT_FOUND,
    "unknown_agent": _S.NOT_FOUND,
    "no_recipients": _S.NOT_FOUND,
    "message_not_found": _S.NOT_FOUND,
    "thread_not_found": _S.NOT_FOUND,
    "ticket_not_found": _S.NOT_FOUND,
    "channel_not_found": _S.NOT_FOUND,
    "not_a_member": _S.FORBIDDEN,
    "dead_letter_not_found": _S.NOT_FOUND,
    "recurring_not_found": _S.NOT_FOUND,
    "webhook_not_found": _S.NOT_FOUND,
    "discovery_not_found": _S.NOT_FOUND,
    "key_not_found": _S.NOT_FOUND,
    "invitation_not_found": _S.NOT_FOUND,
    "method_not_allowed": _S.METHOD_NOT_ALLOWED,
    "conflict": _S.CONFLICT,
    "stale_lease": _S.CONFLICT,
    "stale_epoch": _S.CONFLICT,
    "idempotency_conflict": _S.CONFLICT,
    "not_waiting": _S.CONFLICT,
    "not_claimed": _S.CONFLICT,
    "not_claimable": _S.CONFLICT,
    "claim_held": _S.CONFLICT,
    "claim_done": _S.CONFLICT,
    "renew_claim": _S.CONFLICT,
    "dead_letter_closed": _S.CONFLICT,
    "recurring_ended": _S.CONFLICT,
    "agent_taken": _S.CONFLICT,
    "message_too_large": _S.REQUEST_ENTITY_TOO_LARGE,
    "request_too_large": _S.REQUEST_ENTITY_TOO_LARGE,
    "unsupported_media_type": _S.UNSUPPORTED_MEDIA_TYPE,
    "invalid_fields": _S.UNPROCESSABLE_ENTITY,
    "inbox_full": _S.TOO_MANY_REQUESTS,
    "rate_limited": _S.TOO_MANY_REQUESTS,
    "internal_error": _S.INTERNAL_SERVER_ERROR,
    "storage_unavailable": _S.SERVICE_UNAVAILABLE,
    "storage_full": _S.SERVICE_UNAVAILABLE,
    "identity_unavailable": _S.SERVICE_UNAVAILABLE,
    "data_version": _S.SERVICE_UNAVAILABLE,
    "not_ready": _S.SERVICE_UNAVAILABLE,
}
"""A test holds it against the tree of errors."""

TITLE_OF: Final[dict[HTTPStatus, str]] = {
    _S.BAD_REQUEST: "The request is malformed",
    _S.UNAUTHORIZED: "Not known who asks",
    _S.FORBIDDEN: "Not allowed",
    _S.NOT_FOUND: "Not found",
    _S.METHOD_NOT_ALLOWED: "Method not allowed",
    _S.CONFLICT: "In conflict with the current state",
    _S.REQUEST_ENTITY_TOO_LARGE: "Too large",
    _S.UNSUPPORTED_MEDIA_TYPE: "Not JSON",
    _S.UNPROCESSABLE_ENTITY: "Invalid fields",
    _S.TOO_MANY_REQUESTS: "Too many for now",
    _S.INTERNAL_SERVER_ERROR: "Internal error",
    _S.SERVICE_UNAVAILABLE: "Not available now",
}


class MalformedError(BrokerError):
    """What was sent is not the JSON document that it claims to be."""

    code = "malformed"


class ForeignOriginError(BrokerError):
    """A page of another host asks, through somebody's browser."""

    code = "foreign_origin"


class RequestTooLargeError(BrokerError):
    """The request is larger than this endpoint reads; it was not parsed."""

    code = "request_too_large"


class UnsupportedMediaTypeError(BrokerError):
    """The body is declared to be something other than JSON."""

    code = "unsupported_media_type"


class ProblemField(TypedDict):
    """One offending field."""

    field: str
    message: str


class Problem(TypedDict):
    """A problem document."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[ProblemField]


def problem(error: BrokerError, *, under: str = "") -> Problem:
    """The problem document of an error; `under` is what its fields are parts of."""
    return document(error.code, error.detail, error.problems, under=under)


def document(
    code: str, detail: str, problems: Iterable[FieldProblem] = (), *, under: str = ""
) -> Problem:
    """A problem document with a code of the table.

    A caller may put a token where it does not belong; what names it in the answer hides it.
    """
    status = STATUS_OF[code]
    return {
        "type": f"urn:waystation:problem:{code}",
        "title": TITLE_OF[status],
        "status": status.value,
        "detail": without_secrets(detail),
        "code": code,
        "errors": [
            {
                "field": without_secrets(_field(one.field, under)),
                "message": without_secrets(one.message),
            }
            for one in problems
        ],
    }


def _field(name: str, under: str) -> str:
    if not under:
        return name
    return under if name == WHOLE else f"{under}.{name}"


def retry_after(error: BrokerError) -> dict[str, str]:
    """The header that says when to try again, in whole seconds, for errors that pass."""
    if error.permanent:
        return {}
    return {"Retry-After": str(wait_seconds(error))}


def wait_seconds(error: BrokerError) -> int:
    """How long to wait before an error that passes has passed, in whole seconds."""
    return max(1, math.ceil(error.retry_after_seconds or 1))
