"""Targets as JSON has them: a text, a selector, or a list of both (SPEC R1)."""

from __future__ import annotations

from typing import Final, Unpack

from marshmallow import ValidationError

from app.schemas.fields import each, json_text, one_line
from app.schemas.kinds import Kind, Options
from broker.messaging.message import MAX_NAME

MAX_RECIPIENTS: Final = 1000
_MAX_SELECTOR_BYTES: Final = 65_536

_target_schema: Final = {
    "oneOf": [
        {"type": "string", "minLength": 1, "maxLength": MAX_NAME},
        {"$ref": "#/components/schemas/Selector"},
    ]
}


class Targets(Kind[tuple[str, ...]]):
    """One target or a list of them; what they may name is the broker's to judge.

    The broker takes each as a text: a selector as its JSON.
    """

    def __init__(self, **options: Unpack[Options]) -> None:
        several = {
            "type": "array",
            "items": _target_schema,
            "minItems": 1,
            "maxItems": MAX_RECIPIENTS,
        }
        super().__init__({"oneOf": [*_target_schema["oneOf"], several]}, **options)

    def _deserialize(self, value: object, *_: object, **__: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            return (_target(value),)
        if not 1 <= len(value) <= MAX_RECIPIENTS:
            raise ValidationError(f"must name 1 to {MAX_RECIPIENTS} targets")
        return each(value, _target)


def _target(value: object) -> str:
    if isinstance(value, dict):
        text = json_text(value)
        if len(text) > _MAX_SELECTOR_BYTES:
            raise ValidationError(f"must take at most {_MAX_SELECTOR_BYTES} bytes")
        return text.decode()
    if not isinstance(value, str):
        raise ValidationError("must be a target, a selector, or a list of them")
    if value.startswith("{"):
        raise ValidationError("must be an object where it is a selector, not its text")
    return one_line(value, least=1, most=MAX_NAME)
