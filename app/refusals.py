"""Where errors become answers: the broker's, Flask's own, and the unexpected."""

from __future__ import annotations

import secrets
from typing import Final

import structlog
from flask import Flask, Response
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.response import Response as AnyResponse

from app.errors import MEDIA_TYPE, document, problem, retry_after
from app.identity import challenge
from app.json_document import answer
from broker.kernel.errors import BrokerError, UnauthenticatedError

_FIRST_ERROR: Final = 400
_CODE_OF: Final = {
    404: ("not_found", "Nothing is here. The OpenAPI document lists every path."),
    405: ("method_not_allowed", "This path knows other methods; see the Allow header."),
    413: ("request_too_large", "The request is larger than this endpoint reads."),
    415: ("unsupported_media_type", "Send JSON, with the header Content-Type: application/json."),
}

_log = structlog.get_logger(__name__)


def answer_errors(app: Flask) -> None:
    """Have every error of the application answered by a problem document (RFC 9457)."""
    app.register_error_handler(BrokerError, _refused)
    app.register_error_handler(HTTPException, _refused_by_flask)
    app.register_error_handler(Exception, _failed)


def _refused(error: BrokerError) -> Response:
    view = problem(error)
    headers = retry_after(error)
    if isinstance(error, UnauthenticatedError):
        headers |= challenge()
    return answer(view, view["status"], headers, media_type=MEDIA_TYPE)


def _refused_by_flask(error: HTTPException) -> AnyResponse:
    if error.code is None or error.code < _FIRST_ERROR:
        return error.get_response()
    code, detail = _CODE_OF.get(error.code, ("malformed", "The request can't be understood."))
    view = document(code, detail)
    allow = {"Allow": ", ".join(sorted(getattr(error, "valid_methods", None) or ()))}
    return answer(view, view["status"], allow if allow["Allow"] else {}, media_type=MEDIA_TYPE)


def _failed(error: Exception) -> Response:
    """Nothing of the error itself is answered; the log has it under the same id."""
    incident = secrets.token_hex(6)
    _log.error("request.failed", incident=incident, exc_info=error)
    view = document(
        "internal_error",
        f"Something went wrong in the station; its log tells what, under {incident}.",
    )
    return answer(view, view["status"], media_type=MEDIA_TYPE)
