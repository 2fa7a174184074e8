"""The AsyncAPI 3.0 document of the WebSocket, made from the frames and views that the code uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from app.identity import SECURITY_SCHEMES
from app.schemas.claims import ClaimedView, ReleasedView, RenewedView
from app.schemas.deliveries import ExtendedView, RejectedView, StateView
from app.schemas.messages import SEND, AcceptedView
from app.schemas.shape import Shape
from app.schemas.tickets import RespondedView
from app.websocket import PATH
from app.websocket.endings import CloseCode
from app.websocket.frames import FRAMES, REF_SCHEMA
from app.websocket.sent import AliveView, CreditView, ErrorFrame, MessageFrame, WelcomeFrame
from broker.kernel.ids import AGENT_ID_PATTERN

_CHANNEL: Final = "agent"
_MESSAGES: Final = "#/components/messages/"
_SCHEMAS: Final = "#/components/schemas/"
_KNOWN_BY_THE_CONNECTION: Final = frozenset({"from", "agent_id"})
"""Members that may be left out: everything on a connection is from its agent."""

_ABOUT: Final = """\
Frames are JSON objects with a `type`, in text frames. `ref` is the client's own: the answer to a
frame, `ok` or `error`, has it too.

The station pushes messages after the client's hello; one that says nothing gets the defaults after
half a second. `credit` is how many unfinished messages it may push. A connection that names its
`instance_id` can drop and come back: what it holds is pushed again with the same token and attempt.
Pings come every 15 s; answer them, as libraries do while the client reads."""
_ABOUT_THE_AGENT: Final = "The agent whose connection it is; everything on it is from this agent."


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """What a client asks for by a frame, and the view that an `ok` to it has the members of."""

    summary: str
    answer: Any


_ASKED: Final[dict[str, _Asked]] = {
    "hello": _Asked(
        summary="Who is there, and how many unfinished messages it takes.", answer=WelcomeFrame
    ),
    "ack": _Asked(summary="A pushed message is done with.", answer=StateView),
    "nack": _Asked(summary="A pushed message could not be handled.", answer=RejectedView),
    "extend": _Asked(summary="A pushed message needs more time.", answer=ExtendedView),
    "claim": _Asked(
        summary="A message that is offered to several is to be the client's.", answer=ClaimedView
    ),
    "renew": _Asked(summary="A claimed message needs more time.", answer=RenewedView),
    "release": _Asked(summary="A claimed message is for another after all.", answer=ReleasedView),
    "send": _Asked(summary="A message of this agent is to be sent.", answer=AcceptedView),
    "reply": _Asked(
        summary="A ticket is answered; with its token, that finishes it too.", answer=RespondedView
    ),
    "heartbeat": _Asked(
        summary="A sign of life, and what the agent says of itself.", answer=AliveView
    ),
    "credit": _Asked(
        summary="The client takes so many more unfinished messages.", answer=CreditView
    ),
}
"""A test holds it against the frames that are taken."""

_MEANINGS: Final[dict[CloseCode, str]] = {
    CloseCode.INTERNAL_ERROR: "A defect of the station. Connect again.",
    CloseCode.SERVICE_RESTART: "The station stops. Connect again.",
    CloseCode.BAD_FRAMES: "Too many frames in a row made no sense. Mend the client.",
    CloseCode.UNAUTHENTICATED: "The key or token no longer holds. Connect with one that does.",
    CloseCode.UNKNOWN_AGENT: "No such agent is registered. Register it, then connect.",
    CloseCode.SUPERSEDED: "A newer session or connection of the agent has taken over. Stop.",
}


def document(*, asks_for_tokens: bool) -> dict[str, Any]:
    """The whole document, for a station that does or doesn't ask for tokens."""
    views = [ErrorFrame, MessageFrame, *(asked.answer for asked in _ASKED.values())]
    _, schemas = msgspec.json.schema_components(views, ref_template=f"{_SCHEMAS}{{name}}")
    taken = {_frame(kind): _taken(kind, shape) for kind, shape in FRAMES.items()}
    answers = {_answer(kind): _answered(kind, schemas) for kind in FRAMES}
    pushed = {
        "MessageFrame": _message("message", "A message is pushed.", _reference("MessageFrame")),
        "ErrorFrame": _message("error", ErrorFrame.__doc__, _reference("ErrorFrame")),
    }
    messages = taken | answers | pushed
    channel = {
        "address": PATH,
        "title": "An agent's connection",
        "description": _ABOUT,
        "parameters": {"agent_id": {"description": f"{_ABOUT_THE_AGENT} {AGENT_ID_PATTERN}"}},
        "messages": {name: {"$ref": f"{_MESSAGES}{name}"} for name in messages},
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
        "x-close-codes": {str(code.value): meaning for code, meaning in _MEANINGS.items()},
    }
    security = {"securitySchemes": SECURITY_SCHEMES} if asks_for_tokens else {}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Waystation",
            "version": "0.1.0",
            "description": "An agent receives, sends, acknowledges and lives on one WebSocket.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "station": {"host": "127.0.0.1:8080", "protocol": "ws"}
            | ({"security": [_reference_to("securitySchemes", "token")]} if security else {})
        },
        "channels": {_CHANNEL: channel},
        "operations": _operations(),
        "components": {"messages": messages, "schemas": schemas} | security,
    }


def _operations() -> dict[str, Any]:
    """What the station does: it receives a frame and replies, and it pushes messages."""
    received = {
        kind: {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{_CHANNEL}"},
            "summary": asked.summary,
            "messages": _of_channel(_frame(kind)),
            "reply": {
                "channel": {"$ref": f"#/channels/{_CHANNEL}"},
                "messages": _of_channel(_answer(kind), "ErrorFrame"),
            },
        }
        for kind, asked in _ASKED.items()
    }
    pushed = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{_CHANNEL}"},
        "summary": "Push what waits in the inbox, as far as the credit goes.",
        "messages": _of_channel("MessageFrame"),
    }
    told = {
        "action": "send",
        "channel": {"$ref": f"#/channels/{_CHANNEL}"},
        "summary": "Say what ends the connection, before it is closed.",
        "messages": _of_channel("ErrorFrame"),
    }
    return received | {"push": pushed, "refuse": told}


def _taken(kind: str, shape: Shape[Any]) -> dict[str, Any]:
    """The frame that a client sends."""
    schema = _schema(shape)
    members = schema.get("properties", {})
    if "message" in members:
        members["message"] = _schema(SEND)
    payload = {
        "type": "object",
        "additionalProperties": False,
        "required": ["type", *schema.get("required", ())],
        "properties": {"type": {"const": kind}, "ref": REF_SCHEMA} | members,
    }
    return _message(kind, _ASKED[kind].summary, payload)


def _answered(kind: str, schemas: Mapping[str, Any]) -> dict[str, Any]:
    """The frame that says that it is done: `ok` with the view's members, but for the hello."""
    view = _ASKED[kind].answer
    if view is WelcomeFrame:
        return _message("hello", WelcomeFrame.__doc__, _reference("WelcomeFrame"))
    schema = schemas[view.__name__]
    payload = {
        "type": "object",
        "required": ["type", *schema["required"]],
        "properties": {"type": {"const": "ok"}, "ref": REF_SCHEMA} | schema["properties"],
    }
    return _message("ok", view.__doc__, payload)


def _schema(shape: Shape[Any]) -> dict[str, Any]:
    """The JSON Schema of what a shape reads, where the connection says whose it is."""
    plugin = MarshmallowPlugin()
    APISpec(title="", version="", openapi_version="3.1.0", plugins=[plugin])
    if plugin.converter is None:
        raise TypeError(plugin)
    schema: dict[str, Any] = plugin.converter.schema2jsonschema(shape)  # type: ignore[no-untyped-call] # apispec's
    if "required" in schema:
        needed = [name for name in schema["required"] if name not in _KNOWN_BY_THE_CONNECTION]
        schema["required"] = needed
    return schema


def _message(name: str, summary: str | None, payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "summary": (summary or "").split("\n")[0], "payload": payload}


def _frame(kind: str) -> str:
    return f"{kind.title()}Frame"


def _answer(kind: str) -> str:
    return f"{kind.title()}Answer"


def _reference(view: str) -> dict[str, str]:
    return _reference_to("schemas", view)


def _reference_to(section: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{section}/{name}"}


def _of_channel(*messages: str) -> list[dict[str, str]]:
    return [{"$ref": f"#/channels/{_CHANNEL}/messages/{name}"} for name in messages]
