"""The document of the WebSocket; that of the HTTP interface is APIFlask's (SPEC I7)."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from apiflask import APIBlueprint
from flask import Response

from app import asyncapi
from app.access import PUBLIC
from app.context import context
from app.json_document import answer
from app.rest.operation import operation

documents: Final = APIBlueprint("documents", __name__)

_document: Final = cache(asyncapi.document)


@documents.get("/asyncapi.json")
@operation("getAsyncApi", access=PUBLIC, answers={200: None}, hidden=True)
def get_asyncapi() -> Response:
    """The AsyncAPI document of the WebSocket."""
    document: dict[str, Any] = _document(asks_for_tokens=context().settings.auth_required)
    return answer(document)
