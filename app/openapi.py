"""The OpenAPI 3.1 document: APIFlask's, with the views' own types as the answers' schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from apiflask import APIFlask

from app.errors import Problem
from broker.kernel.ids import AGENT_ID_PATTERN, DEAD_LETTER_ID_PATTERN, MESSAGE_ID_PATTERN

_SCHEMAS: Final = "#/components/schemas/"
_PATH_PARAMETERS: Final = {
    "agent_id": {"type": "string", "pattern": AGENT_ID_PATTERN},
    "message_id": {"type": "string", "pattern": MESSAGE_ID_PATTERN},
    "dead_letter_id": {"type": "string", "pattern": DEAD_LETTER_ID_PATTERN},
    "thread_id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": r"^[\w.:@~-]+$"},
}
_ID_OF: Final = {"message_id": "$response.body#/id"}
_LINKS: Final = {
    "sendMessage": ("getMessage", "cancelMessage", "getReceipts"),
    "broadcastMessage": ("getMessage", "getReceipts"),
}


def describe(app: APIFlask) -> None:
    """Have the application's document completed when it is made."""

    @app.spec_processor
    def complete(spec: dict[Any, Any] | str) -> dict[Any, Any] | str:
        if isinstance(spec, str):
            return spec
        views = [Problem]
        for operation in _operations(spec):
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and parameter["name"] in _PATH_PARAMETERS:
                    parameter["schema"] = _PATH_PARAMETERS[parameter["name"]]
            for content in _contents(operation):
                if not isinstance(content["schema"], dict):
                    views.append(content["schema"])
                    content["schema"] = {"$ref": f"{_SCHEMAS}{content['schema'].__name__}"}
            _link(operation)
        _, components = msgspec.json.schema_components(views, ref_template=f"{_SCHEMAS}{{name}}")
        spec["components"].setdefault("schemas", {}).update(components)
        return spec


def _operations(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path in spec["paths"].values():
        yield from path.values()


def _contents(operation: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for response in operation["responses"].values():
        yield from response.get("content", {}).values()


def _link(operation: Mapping[str, Any]) -> None:
    """Say which operations take the id that this one answered."""
    for target in _LINKS.get(operation["operationId"], ()):
        for status in ("200", "202"):
            operation["responses"][status].setdefault("links", {})[target] = {
                "operationId": target,
                "parameters": _ID_OF,
            }
