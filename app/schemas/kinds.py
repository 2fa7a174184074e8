"""What a kind of field is: it reads JSON and query strings, and describes itself as JSON Schema.

The schema is carried as marshmallow metadata, from which the OpenAPI document is made. `parse`
turns the text of a query string into the JSON value that the field expects.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypedDict, TypeVar

from marshmallow import ValidationError
from marshmallow.fields import Field

T = TypeVar("T")


class Options(TypedDict, total=False):
    """What every kind of field can be told."""

    required: bool
    nullable: bool
    data_key: str | None
    description: str | None


class Kind(Field[T], Generic[T]):
    """A field that knows its JSON Schema.

    Optional ones may also be null, which means absent where their shape does not say otherwise.
    """

    several = False

    def __init__(
        self,
        schema: Mapping[str, Any],
        *,
        required: bool = False,
        nullable: bool | None = None,
        data_key: str | None = None,
        description: str | None = None,
    ) -> None:
        allow_none = not required if nullable is None else nullable
        self._schema = dict(schema) | ({"description": description} if description else {})
        super().__init__(
            required=required,
            data_key=data_key,
            allow_none=allow_none,
            metadata=_nullable(self._schema) if allow_none else self._schema,
        )

    def never_null(self) -> None:
        """Take no null: where there is none, as in query strings."""
        self.allow_none = False
        self.metadata = self._schema

    def deserialize(
        self,
        value: Any,  # noqa: ANN401 - anything may be sent
        attr: str | None = None,
        data: Mapping[str, Any] | None = None,
        **_: Any,  # noqa: ANN401 - marshmallow's own
    ) -> Any:  # noqa: ANN401
        """As marshmallow's, but without its hooks: no kind has any, and a message has fields."""
        if value is not None:
            return self._deserialize(value, attr, data)
        if not self.allow_none:
            raise ValidationError("must not be null")
        return None

    def parse(self, text: str) -> object:
        """The JSON value that a query string's text stands for."""
        return text


def _nullable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema with null; apispec itself adds it to `type` only."""
    extended = dict(schema)
    if "oneOf" in schema:
        extended["oneOf"] = [*schema["oneOf"], {"type": "null"}]
    if "enum" in schema:
        extended["enum"] = [*schema["enum"], None]
    return extended
