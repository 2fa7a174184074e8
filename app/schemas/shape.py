"""JSON objects as callers send them: unknown members refused, every offending one named at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from marshmallow import RAISE, Schema, ValidationError
from marshmallow.fields import Field

from app.errors import WHOLE
from app.schemas.kinds import Kind
from broker.kernel.errors import FieldProblem, InvalidFieldsError

T = TypeVar("T")


class Shape(Schema, Generic[T]):
    """A marshmallow schema that reads an object into a `T` of the domain.

    Build one instance and share it. Its `load` gives what marshmallow's would, but looks only at
    the members that are there: a message has 25 possible members and sends about five.
    """

    class Meta:
        """Nothing is taken that isn't declared."""

        unknown = RAISE

    keeps_null = False
    """Whether null is a value (it clears something) rather than another word for absent."""

    def __init__(self) -> None:
        super().__init__()
        fields: Mapping[str, Field[Any]] = self.load_fields
        self._readers = {
            field.data_key or name: (field.attribute or name, field)
            for name, field in fields.items()
        }
        self._required = [key for key, (_, field) in self._readers.items() if field.required]

    def read(self, data: object) -> T:
        """The object as the domain knows it. Raises `InvalidFieldsError`."""
        try:
            return self.build(self.load(data))
        except ValidationError as error:
            raise InvalidFieldsError(problems_of(error.messages)) from None

    def build(self, values: dict[str, Any]) -> T:
        """The domain's object of the values that were read."""
        return values  # type: ignore[return-value] # the default of shapes of dict

    def rules(self, data: Mapping[str, Any]) -> Iterable[FieldProblem]:
        """What is wrong between the members of an object, whatever each is by itself."""
        del data
        return ()

    def load(self, data: Any, **_: Any) -> dict[str, Any]:  # noqa: ANN401 - anything may be sent
        """The values by attribute. Raises `ValidationError`."""
        if not isinstance(data, dict):
            raise ValidationError({WHOLE: ["must be a JSON object"]})
        values: dict[str, Any] = {}
        refused: dict[str, Any] = {}
        for key, value in data.items():
            reader = self._readers.get(key)
            if reader is None:
                refused[_shown(key)] = ["is not a known field"]
                continue
            attribute, field = reader
            try:
                read = field.deserialize(value, key, data)
            except ValidationError as error:
                refused[key] = error.messages
                continue
            if read is not None or self.keeps_null:
                values[attribute] = read
        refused |= {key: ["is required"] for key in self._required if key not in data}
        for problem in self.rules(data):
            refused.setdefault(problem.field, [problem.message])
        if refused:
            raise ValidationError(refused)
        return values


class _TextShape(Shape[T]):
    """What comes as texts, of which none is null."""

    def __init__(self) -> None:
        super().__init__()
        for field in self.fields.values():
            if isinstance(field, Kind):
                field.never_null()


class QueryShape(_TextShape[T]):
    """The parameters of a query string, read as strictly as a JSON object."""

    def read_query(self, parameters: Iterable[tuple[str, list[str]]]) -> T:
        """The parameters as the domain knows them. Raises `InvalidFieldsError`."""
        data: dict[str, Any] = {}
        repeated = []
        for key, texts in parameters:
            _, field = self._readers.get(key, (key, None))
            if isinstance(field, Kind) and field.several:
                data[key] = [part for text in texts for part in text.split(",")]
            elif len(texts) > 1:
                repeated.append(FieldProblem(field=_shown(key), message="must stand only once"))
            else:
                data[key] = field.parse(texts[0]) if isinstance(field, Kind) else texts[0]
        if repeated:
            raise InvalidFieldsError(repeated)
        return self.read(data)


class HeaderShape(_TextShape[T]):
    """Headers of a request; others than the declared ones are not looked at."""

    def read_headers(self, header: Callable[[str], str | None]) -> T:
        """The headers as the domain knows them; `header` looks one up, whatever its case.

        Raises `InvalidFieldsError`.
        """
        found = {name: header(name) for name in self._readers}
        return self.read({name: text for name, text in found.items() if text is not None})


def problems_of(messages: Any, path: str = "") -> Iterator[FieldProblem]:  # noqa: ANN401
    """The problems of marshmallow's nested messages, each with its path: `messages.3.to`."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            name = path.removesuffix(".") if key == WHOLE and path else f"{path}{key}"
            yield from problems_of(inner, f"{name}.")
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            yield FieldProblem(field=path.removesuffix("."), message=str(message))


def _shown(name: str) -> str:
    """A name that a caller made up, fit to be shown in an answer and a log."""
    text = name if len(name) <= 64 else f"{name[:64]}…"  # noqa: PLR2004 - enough to recognize it
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
