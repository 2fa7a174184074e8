"""The OpenAPI 3.1 document: APIFlask's, with the views' own types as the answers' schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
from apiflask import APIFlask

from app.errors import Problem
from app.identity import SECURITY_SCHEMES
from app.rest import is_other_name
from broker.kernel.ids import (
    AGENT_ID_PATTERN,
    CHANNEL_ID_PATTERN,
    DEAD_LETTER_ID_PATTERN,
    INVITATION_ID_PATTERN,
    KEY_ID_PATTERN,
    MESSAGE_ID_PATTERN,
)

_SCHEMAS: Final = "#/components/schemas/"
_PATH_PARAMETERS: Final = {
    "agent_id": {"type": "string", "pattern": AGENT_ID_PATTERN},
    "channel_id": {"type": "string", "pattern": CHANNEL_ID_PATTERN},
    "other_id": {"type": "string", "pattern": AGENT_ID_PATTERN},
    "message_id": {"type": "string", "pattern": MESSAGE_ID_PATTERN},
    "ticket_id": {"type": "string", "pattern": MESSAGE_ID_PATTERN},
    "dead_letter_id": {"type": "string", "pattern": DEAD_LETTER_ID_PATTERN},
    "key_id": {"type": "string", "pattern": KEY_ID_PATTERN},
    "invitation_id": {"type": "string", "pattern": INVITATION_ID_PATTERN},
    "thread_id": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": r"^[\w.:@~-]+$"},
}
_ID_OF: Final = {"message_id": "$response.body#/id"}
_LINKS: Final = {
    "sendMessage": ("getMessage", "cancelMessage", "getReceipts", "getClaim"),
    "broadcastMessage": ("getMessage", "getReceipts"),
}
_SETTINGS: Final = {
    "OPENAPI_VERSION": "3.1.0",
    "INFO": {
        "description": "A store-and-forward message queue for AI agents. Every path under /api/v1 "
        "answers as well under /api, and with no prefix at all."
    },
    # Every operation declares its answers itself (app.rest.operation).
    "AUTO_200_RESPONSE": False,
    "AUTO_404_RESPONSE": False,
    "AUTO_VALIDATION_ERROR_RESPONSE": False,
}


def describe(app: APIFlask, *, asks_for_tokens: bool) -> None:
    """Have the application's document completed when it is made."""
    app.config.update(_SETTINGS)

    @app.spec_processor
    def complete(spec: dict[Any, Any] | str) -> dict[Any, Any] | str:
        if isinstance(spec, str):
            return spec
        _leave_out_other_names(spec)
        declared = _declared(app)
        for operation in _operations(spec):
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    parameter["schema"] = _PATH_PARAMETERS.get(
                        parameter["name"], parameter["schema"]
                    )
            if "requestBody" in operation:
                required = declared[operation["operationId"]]["body_required"]
                operation["requestBody"]["required"] = required
            if asks_for_tokens and not declared[operation["operationId"]]["access"].is_public:
                operation["security"] = [{"token": []}]
            _link(operation)
        views = [Problem, *(view for one in declared.values() for view in one["views"])]
        _, components = msgspec.json.schema_components(views, ref_template=f"{_SCHEMAS}{{name}}")
        spec["components"].setdefault("schemas", {}).update(components)
        if asks_for_tokens:
            spec["components"]["securitySchemes"] = SECURITY_SCHEMES
        return spec


def _leave_out_other_names(spec: dict[Any, Any]) -> None:
    """Describe each operation once, whatever else its path is called (SPEC M16)."""
    paths = spec["paths"]
    spec["paths"] = {path: paths[path] for path in paths if not is_other_name(path, paths)}
    used = {tag for operation in _operations(spec) for tag in operation.get("tags", ())}
    spec["tags"] = [tag for tag in spec.get("tags", ()) if tag["name"] in used]


def _declared(app: APIFlask) -> dict[str, dict[str, Any]]:
    """What each operation says about itself, by its id (see app.rest.operation)."""
    found = [getattr(view, "_spec", {}) for view in app.view_functions.values()]
    return {spec["operation_id"]: spec for spec in found if "operation_id" in spec}


def _operations(spec: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for path in spec["paths"].values():
        yield from path.values()


def _link(operation: Mapping[str, Any]) -> None:
    """Say which operations take the id that this one answered."""
    for target in _LINKS.get(operation["operationId"], ()):
        for status in ("200", "202"):
            operation["responses"][status].setdefault("links", {})[target] = {
                "operationId": target,
                "parameters": _ID_OF,
            }
