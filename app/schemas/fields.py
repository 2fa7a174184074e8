"""The fields of what callers send: strict types, bounded sizes, no control characters."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Unpack

from marshmallow import ValidationError

from app.schemas.kinds import Kind, Options
from broker.kernel.clock import seconds_to_ms, to_ms
from broker.kernel.ids import (
    AGENT_ID_PATTERN,
    CHANNEL_ID_PATTERN,
    DEAD_LETTER_ID_PATTERN,
    INVITATION_ID_PATTERN,
    KEY_ID_PATTERN,
    MESSAGE_ID_PATTERN,
    RECURRING_ID_PATTERN,
)
from broker.kernel.priority import PRIORITY_NAMES

TEN_YEARS_SECONDS: Final = 315_360_000

# One line: no control characters, no line or paragraph separators, no halves of surrogate pairs.
_NOT_IN_LINE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_LINE_PATTERN: Final = r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"
_NOT_IN_TEXT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_TEXT_PATTERN: Final = r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?")
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_FRACTION: Final = re.compile(r"\.[0-9]+")

_json_text: Final = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False
).encode


def one_line(value: object, *, least: int, most: int) -> str:
    """The value, if it is one line of text of that length. Raises `ValidationError`."""
    if not isinstance(value, str):
        raise ValidationError("must be text")
    if not least <= len(value) <= most:
        raise ValidationError(f"must have {least} to {most} characters")
    if _NOT_IN_LINE.search(value):
        raise ValidationError("must be one line without control characters")
    return value


class Line(Kind[str]):
    """One line of text."""

    def __init__(self, most: int = 128, *, least: int = 1, **options: Unpack[Options]) -> None:
        self._least, self._most = least, most
        super().__init__(
            {
                "type": "string",
                "minLength": least,
                "maxLength": most,
                "pattern": _LINE_PATTERN,
            },
            **options,
        )

    def _deserialize(self, value: object, *_: object, **__: object) -> str:
        return one_line(value, least=self._least, most=self._most)


class Text(Kind[str]):
    """Text of several lines; without `most` its size is the broker's to judge, by bytes."""

    def __init__(self, most: int | None = None, **options: Unpack[Options]) -> None:
        self._most = most
        bound = {} if most is None else {"maxLength": most}
        super().__init__(
            {"type": "string", "minLength": 1, "pattern": _TEXT_PATTERN} | bound, **options
        )

    def _deserialize(self, value: object, *_: object, **__: object) -> str:
        if not isinstance(value, str):
            raise ValidationError("must be text")
        if not value:
            raise ValidationError("must not be empty; leave it out instead")
        if self._most is not None and len(value) > self._most:
            raise ValidationError(f"must have at most {self._most} characters")
        if _NOT_IN_TEXT.search(value):
            raise ValidationError("must hold no control characters but tab and line ends")
        return value


class Identifier(Kind[str]):
    """An id of one form."""

    def __init__(self, pattern: str, form: str, **options: Unpack[Options]) -> None:
        self._pattern, self._form = re.compile(pattern), form
        super().__init__({"type": "string", "pattern": pattern}, **options)

    def _deserialize(self, value: object, *_: object, **__: object) -> str:
        # `$` also matches before a last line end, hence fullmatch.
        if not isinstance(value, str) or not self._pattern.fullmatch(value):
            raise ValidationError(f"must be {self._form}")
        return value


def agent_id_field(**options: Unpack[Options]) -> Identifier:
    """The id of an agent."""
    form = "an agent id: 1 to 128 of letters, digits, _ . @ ~ and -, the first a letter, digit or _"
    return Identifier(AGENT_ID_PATTERN, form, **options)


def channel_id_field(**options: Unpack[Options]) -> Identifier:
    """The id of a channel."""
    form = (
        "a channel id: 1 to 128 of letters, digits, _ . @ ~ and -, the first a letter, digit or _"
    )
    return Identifier(CHANNEL_ID_PATTERN, form, **options)


def message_id_field(**options: Unpack[Options]) -> Identifier:
    """The id of a message."""
    return Identifier(MESSAGE_ID_PATTERN, "a message id, msg_ and a ULID", **options)


def dead_letter_id_field(**options: Unpack[Options]) -> Identifier:
    """The id of a dead letter."""
    return Identifier(DEAD_LETTER_ID_PATTERN, "a dead letter's id, dlq_ and a ULID", **options)


def recurring_id_field(**options: Unpack[Options]) -> Identifier:
    """The id of a recurring message."""
    return Identifier(RECURRING_ID_PATTERN, "a recurring id, rec_ and a ULID", **options)


def key_id_field(**options: Unpack[Options]) -> Identifier:
    """The id of a key."""
    return Identifier(KEY_ID_PATTERN, "a key's id, key_ and a ULID", **options)


def invitation_id_field(**options: Unpack[Options]) -> Identifier:
    """The id of an invitation."""
    return Identifier(INVITATION_ID_PATTERN, "an invitation's id, inv_ and a ULID", **options)


class Lines(Kind[tuple[str, ...]]):
    """A list of lines, each once; in a query string with commas between them or repeated."""

    several = True

    def __init__(self, most: int = 128, *, count: int = 100, **options: Unpack[Options]) -> None:
        self._most, self._count = most, count
        item = {"type": "string", "minLength": 1, "maxLength": most, "pattern": _LINE_PATTERN}
        super().__init__({"type": "array", "items": item, "maxItems": count}, **options)

    def _deserialize(self, value: object, *_: object, **__: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValidationError("must be a list of texts")
        if len(value) > self._count:
            raise ValidationError(f"must have at most {self._count} entries")
        found = each(value, lambda item: one_line(item, least=1, most=self._most))
        return tuple(dict.fromkeys(found))


def each(values: Iterable[object], read: Any) -> tuple[Any, ...]:  # noqa: ANN401
    """All values as `read` gives them. Raises `ValidationError` for every one that it refuses."""
    found, refused = [], {}
    for index, value in enumerate(values):
        try:
            found.append(read(value))
        except ValidationError as error:
            refused[index] = error.messages
    if refused:
        raise ValidationError(refused)
    return tuple(found)


class Flag(Kind[bool]):
    """True or false."""

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__({"type": "boolean"}, **options)

    def _deserialize(self, value: object, *_: object, **__: object) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("must be true or false")
        return value

    def parse(self, text: str) -> object:
        """`true` or `false`."""
        return {"true": True, "false": False}.get(text, text)


class Whole(Kind[int]):
    """A whole number."""

    def __init__(self, least: int, most: int, **options: Unpack[Options]) -> None:
        self._least, self._most = least, most
        super().__init__({"type": "integer", "minimum": least, "maximum": most}, **options)

    def _deserialize(self, value: object, *_: object, **__: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValidationError("must be a whole number")
        if not self._least <= value <= self._most:
            raise ValidationError(f"must be {self._least} to {self._most}")
        return value

    def parse(self, text: str) -> object:
        """Digits only: no spaces, no other scripts' digits."""
        return number(text)


class Duration(Kind[int]):
    """A duration in seconds, fractions allowed; read as milliseconds."""

    def __init__(
        self, least: float = 1, most: float = TEN_YEARS_SECONDS, **options: Unpack[Options]
    ) -> None:
        self._least, self._most = least, most
        super().__init__({"type": "number", "minimum": least, "maximum": most}, **options)

    def _deserialize(self, value: object, *_: object, **__: object) -> int:
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValidationError("must be a number of seconds")
        if not self._least <= value <= self._most:
            raise ValidationError(f"must be {self._least:g} to {self._most:.10g} seconds")
        return seconds_to_ms(value)

    def parse(self, text: str) -> object:
        """A plain decimal number."""
        return number(text)


def number(text: str) -> int | float | str:
    """The plain decimal number of a query string, or the text where it is none."""
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


class Priority(Kind[int]):
    """A priority by name or number (SPEC M3)."""

    def __init__(self, **options: Unpack[Options]) -> None:
        named = {"type": "string", "enum": list(PRIORITY_NAMES)}
        numbered = {"type": "integer", "minimum": 0, "maximum": 9}
        super().__init__({"oneOf": [named, numbered]}, **options)

    def _deserialize(self, value: object, *_: object, **__: object) -> int:
        if isinstance(value, str) and value in PRIORITY_NAMES:
            return PRIORITY_NAMES[value]
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 9:  # noqa: PLR2004 - SPEC M3
            return value
        raise ValidationError(f"must be {', '.join(PRIORITY_NAMES)}, or 0 to 9")

    def parse(self, text: str) -> object:
        """A name or digits."""
        return number(text)


class Moment(Kind[int]):
    """A moment in RFC 3339 with its offset; read as milliseconds since the epoch."""

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__({"type": "string", "format": "date-time"}, **options)

    def _deserialize(self, value: object, *_: object, **__: object) -> int:
        if not isinstance(value, str) or not _MOMENT.fullmatch(value):
            raise ValidationError("must be an RFC 3339 time with offset: 2026-01-31T12:00:00Z")
        # RFC 3339 lets a time have any number of digits behind the point, datetime six.
        text = _FRACTION.sub(lambda found: found[0][:7].ljust(7, "0"), value.upper())
        try:
            return max(0, to_ms(datetime.fromisoformat(text)))
        except (ValueError, OverflowError):
            raise ValidationError("is no moment of the calendar") from None

    def parse(self, text: str) -> object:
        """A `+` that was not escaped arrives as a space."""
        return text[:-6] + "+" + text[-5:] if text[-6:-5] == " " else text


class Choice(Kind[Any]):
    """One of the words of an enumeration."""

    def __init__(self, choices: type[StrEnum], **options: Unpack[Options]) -> None:
        self._choices = choices
        super().__init__({"type": "string", "enum": [word.value for word in choices]}, **options)

    def _deserialize(self, value: object, *_: object, **__: object) -> StrEnum:
        try:
            return self._choices(str(value))
        except ValueError:
            words = ", ".join(word.value for word in self._choices)
            raise ValidationError(f"must be one of {words}") from None


class AnyJson(Kind[bytes]):
    """Any JSON; read as its compact text, so that large numbers and the order of keys survive."""

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__({}, **options)

    def _deserialize(self, value: object, *_: object, **__: object) -> bytes:
        return json_text(value)


class JsonObject(Kind[dict[str, Any]]):
    """A JSON object of bounded size."""

    def __init__(self, most_bytes: int, **options: Unpack[Options]) -> None:
        self._most_bytes = most_bytes
        super().__init__({"type": "object"}, **options)

    def _deserialize(self, value: object, *_: object, **__: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("must be a JSON object")
        if len(json_text(value)) > self._most_bytes:
            raise ValidationError(f"must take at most {self._most_bytes} bytes")
        return value


def json_text(value: object) -> bytes:
    """The value as compact UTF-8. Raises `ValidationError` for what JSON can't hold."""
    try:
        return _json_text(value).encode()
    except UnicodeEncodeError:
        raise ValidationError("must hold no halves of surrogate pairs") from None
    except RecursionError:
        raise ValidationError("is nested too deeply") from None
    except ValueError:
        raise ValidationError("must hold finite numbers only") from None
