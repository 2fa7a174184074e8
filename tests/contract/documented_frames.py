"""Holds every frame that tests exchange with the station against the AsyncAPI document."""

from typing import Any, Final

import jsonschema_rs

from app.asyncapi import document

Frame = dict[str, Any]

DOCUMENT: Final = document(asks_for_tokens=True)
_MESSAGES: Final = DOCUMENT["components"]["messages"]
_SCHEMAS: Final = DOCUMENT["components"]["schemas"]


def _validator(message: str) -> jsonschema_rs.Draft7Validator:
    return jsonschema_rs.Draft7Validator(
        {
            "$ref": f"#/components/messages/{message}/payload",
            "components": DOCUMENT["components"],
        }
    )


VALIDATORS: Final = {message: _validator(message) for message in _MESSAGES}


def check(message: str, frame: Frame) -> None:
    """The frame is this message of the document, and has no member that it does not name."""
    VALIDATORS[message].validate(frame)
    assert set(frame) <= members(message), f"{message} does not document all of {frame}"


def check_exchange(asked: Frame, answer: Frame) -> None:
    """What the station took, and what it answered, are what the document says of such a frame."""
    if answer["type"] == "error":
        check("ErrorFrame", answer)
        return
    check(f"{asked['type'].title()}Frame", asked)
    check(f"{asked['type'].title()}Answer", answer)


def check_sent(frame: Frame) -> None:
    """A frame that the station sends is one of those that the document says it sends."""
    match frame["type"]:
        case "hello":
            check("HelloAnswer", frame)
        case "message":
            check("MessageFrame", frame)
        case "error":
            check("ErrorFrame", frame)
        case kind:
            assert kind == "ok", f"a frame of an unknown type: {frame}"


def members(message: str) -> set[str]:
    """The members that the document names of a message."""
    payload = _MESSAGES[message]["payload"]
    if "$ref" in payload:
        payload = _SCHEMAS[payload["$ref"].rpartition("/")[2]]
    return set(payload["properties"])
