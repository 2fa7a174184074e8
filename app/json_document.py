"""JSON documents in and out: bounded before they are read, strict, decoded and encoded once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, NoReturn

import msgspec
from flask import Request, Response

from app.errors import MalformedError, RequestTooLargeError, UnsupportedMediaTypeError

MEDIA_TYPE: Final = "application/json"

_encoder: Final = msgspec.json.Encoder()


def _object(members: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(members)
    if len(found) != len(members):
        raise ValueError("an object has two members of the same name")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decode: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant).decode


def decoded(raw: bytes) -> object:
    """The value of a JSON text. Raises `MalformedError`.

    The standard library's decoder and not msgspec's: it keeps integers of any size, and lets us
    refuse objects that say two things under one name.
    """
    try:
        return _decode(raw.decode())
    except UnicodeDecodeError:
        raise MalformedError("The document is not UTF-8. Send JSON in UTF-8.") from None
    except RecursionError:
        raise MalformedError("The document is nested too deeply.") from None
    except ValueError as error:
        raise MalformedError(f"The document is not JSON: {error}.") from None


def received(request: Request, *, limit: int, optional: bool = False) -> object:
    """The JSON document of a request, an empty object where an optional one is absent.

    Raises `MalformedError`, `UnsupportedMediaTypeError`; `RequestTooLargeError` beyond `limit`
    bytes, before anything is parsed and, where the length is declared, before anything is read.
    """
    # A chunked request declares no length; werkzeug cuts it off without a word.
    request.max_content_length = limit + 1
    if (request.content_length or 0) > limit or len(raw := request.get_data(cache=False)) > limit:
        raise RequestTooLargeError(f"The request is larger than {limit} bytes.")
    if optional and not raw:
        return {}
    if request.mimetype != MEDIA_TYPE and not request.mimetype.endswith("+json"):
        declared = request.mimetype or "nothing"
        raise UnsupportedMediaTypeError(
            f"Send JSON, with the header Content-Type: {MEDIA_TYPE}; this declares {declared}."
        )
    return decoded(raw)


def encoded(view: object) -> bytes:
    """A view as JSON text; raw JSON in it stands as it is."""
    return _encoder.encode(view)


def answer(
    view: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    *,
    media_type: str = MEDIA_TYPE,
) -> Response:
    """A response that carries a view."""
    return Response(encoded(view), status, headers, content_type=media_type)
