"""Targets as JSON has them: a text, a selector, or a list of both (SPEC R1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Unpack

import msgspec
from marshmallow import ValidationError

from app.schemas.fields import each, json_text, one_line
from app.schemas.kinds import Kind, Options
from broker.routing.targets import MAX_LEAVES, MAX_NAME

MAX_RECIPIENTS: Final = 1000
_MAX_SELECTOR_BYTES: Final = 65_536

_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
_Parts = Annotated["list[_Text | Selector]", msgspec.Meta(min_length=1, max_length=MAX_LEAVES)]


class Selector(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    rename={"none_of": "not"},
):
    """Agents in each of all_of, in any of any_of, and in none of not."""

    all_of: _Parts | msgspec.UnsetType = msgspec.UNSET
    any_of: _Parts | msgspec.UnsetType = msgspec.UNSET
    none_of: _Parts | msgspec.UnsetType = msgspec.UNSET


TargetView = str | Selector
TargetsView = TargetView | list[TargetView]

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


def targets_view(to: Sequence[str]) -> TargetsView:
    """Targets as they were sent: one by itself, several as a list."""
    views = [_view(target) for target in to]
    return views[0] if len(views) == 1 else views


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


def _view(target: str) -> TargetView:
    return msgspec.json.decode(target, type=Selector) if target.startswith("{") else target
