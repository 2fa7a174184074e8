"""What every route declares once: what it reads, what it answers, and how it is documented."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, Final

from flask import Response, request

from app.access import Access
from app.context import context
from app.errors import MEDIA_TYPE as PROBLEM
from app.errors import STATUS_OF, Problem
from app.json_document import MEDIA_TYPE, received
from app.limits import charge_for
from app.schemas.shape import HeaderShape, QueryShape, Shape

View = Callable[..., Response]

_EVERY: Final = (
    "foreign_origin",
    "not_found",
    "invalid_fields",
    "internal_error",
    "storage_unavailable",
    "rate_limited",
)
_WITH_BODY: Final = ("malformed", "request_too_large", "unsupported_media_type")
_GUARDED: Final = ("unauthenticated", "forbidden")
_RETRY_AFTER: Final = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
}


def operation(
    operation_id: str,
    *,
    access: Access,
    answers: Mapping[int, Any],
    errors: Iterable[str] = (),
    body: Shape[Any] | None = None,
    query: QueryShape[Any] | None = None,
    headers: HeaderShape[Any] | None = None,
    example: object = None,
    optional: bool = False,
    batch: bool = False,
    hidden: bool = False,
    count: Callable[[Any], int] | None = None,
    media_type: str = MEDIA_TYPE,
) -> Callable[[View], View]:
    """Reads what a route declares, and hands it over as `body`, `query` and `headers`.

    `access` says who may use it. `answers` maps each success status to the view's type, `errors`
    are codes beyond those that every route has. An `optional` body may be absent; a `batch` may be
    as large as any request. `count` says how many things a
    body asks for at once; rate limits count them. `media_type` is that of the answers.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def read_and_answer(**arguments: Any) -> Response:  # noqa: ANN401 - the route's own
            # The request itself: each use of Flask's proxy would look it up again.
            asked = request._get_current_object()  # type: ignore[attr-defined] # noqa: SLF001
            access.admit()
            if body is not None:
                limit = context().max_batch_bytes if batch else context().max_message_bytes
                arguments["body"] = body.read(received(asked, limit=limit, optional=optional))
            if query is not None:
                arguments["query"] = query.read_query(asked.args.lists())
            elif asked.query_string:
                _NO_QUERY.read_query(asked.args.lists())
            if headers is not None:
                arguments["headers"] = headers.read_headers(asked.headers.get)
            access.permit(arguments)
            if count is not None:
                charge_for(count(arguments["body"]))
            return view(**arguments)

        codes = {
            *_EVERY,
            *errors,
            *(_WITH_BODY if body is not None else ()),
            *(() if access.is_public else _GUARDED),
        }
        # APIFlask makes its document from this attribute; its own decorators parse and serialize
        # a second time, which the hot routes can't afford.
        read_and_answer._spec = {  # type: ignore[attr-defined] # noqa: SLF001 - as said above
            "operation_id": operation_id,
            "args": [
                (shape, location)
                for shape, location in ((query, "query"), (headers, "headers"))
                if shape is not None
            ],
            "responses": _successes(answers, media_type) | _problems(codes),
            "hide": hidden,
            # What follows is for app.openapi.
            "access": access,
            "views": [view for view in answers.values() if view is not None],
            "body_required": body is not None and not optional,
        } | (
            {"body": body, "content_type": MEDIA_TYPE, "body_example": example}
            if body is not None
            else {}
        )
        return read_and_answer

    return decorate


_NO_QUERY: Final[QueryShape[Any]] = QueryShape()


def _successes(answers: Mapping[int, Any], media_type: str) -> dict[str, Any]:
    return {
        str(status): {
            "description": "Done." if status != 202 else "Accepted, and on disk.",  # noqa: PLR2004
            "content": {media_type: {"schema": reference(view)}} if view is not None else {},
        }
        for status, view in answers.items()
    }


def reference(view: Any) -> dict[str, str]:  # noqa: ANN401 - a TypedDict is no type of types
    """Where the document has the schema of a view."""
    return {"$ref": f"#/components/schemas/{view.__name__}"}


def _problems(codes: Iterable[str]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in sorted(codes):
        by_status.setdefault(STATUS_OF[code].value, []).append(code)
    return {
        str(status): {
            "description": f"Refused: {', '.join(names)}.",
            "content": {PROBLEM: {"schema": reference(Problem)}},
        }
        | ({"headers": _RETRY_AFTER} if status in {429, 503} else {})
        for status, names in by_status.items()
    }
