"""Reading what callers send: whatever it is, it becomes a value or a named problem."""

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from app.errors import MalformedError
from app.json_document import decoded
from app.schemas.agents import REGISTER
from app.schemas.deliveries import FETCH
from app.schemas.fields import AnyJson, Moment, number
from app.schemas.messages import SEND
from broker.kernel.clock import to_ms
from broker.kernel.errors import InvalidFieldsError
from broker.messaging.message import Draft

pytestmark = pytest.mark.unit

MESSAGE = {"from": "alice", "to": "bob", "body": "hi"}

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
members = st.sampled_from([*SEND.fields, "from", "ttl_seconds", "delay_seconds", "x"])


@given(st.dictionaries(members, anything, max_size=6))
def test_any_object_is_a_draft_or_a_list_of_its_bad_fields(document: dict[str, object]) -> None:
    try:
        draft = SEND.read(document)
    except InvalidFieldsError as error:
        named = {problem.field.split(".")[0] for problem in error.problems}
        assert named <= {*document, "from", "to", "body", "deliver_at"}
    else:
        assert isinstance(draft, Draft)


@given(anything)
def test_nothing_but_an_object_is_read(document: object) -> None:
    for shape in (SEND, REGISTER):
        if not isinstance(document, dict):
            with pytest.raises(InvalidFieldsError):
                shape.read(document)


@given(st.lists(st.tuples(st.sampled_from([*FETCH.fields, "x"]), st.lists(st.text(), min_size=1))))
def test_any_query_is_read_or_refused(parameters: list[tuple[str, list[str]]]) -> None:
    with contextlib.suppress(InvalidFieldsError):
        FETCH.read_query(dict(parameters).items())


@given(st.binary())
def test_any_bytes_are_json_or_malformed(raw: bytes) -> None:
    try:
        value = decoded(raw)
    except MalformedError:
        return
    assert value == json.loads(raw)


@given(anything)
def test_json_survives_unchanged(value: object) -> None:
    text = AnyJson().deserialize(value) if value is not None else b"null"

    assert json.loads(text) == value


@given(
    st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9999, 1, 1)),  # noqa: DTZ001
    st.integers(-14 * 60, 14 * 60),
)
def test_a_moment_is_the_same_whatever_its_offset(local: datetime, minutes: int) -> None:
    moment = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))

    assert Moment().deserialize(moment.isoformat()) == max(0, to_ms(moment.astimezone(UTC)))


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01t00:00:01.5z", 1500),
        ("1970-01-01T01:00:01.123456789+01:00", 1123),
        ("1960-01-01T00:00:00Z", 0),
    ],
)
def test_moments_are_read(text: str, milliseconds: int) -> None:
    assert Moment().deserialize(text) == milliseconds


@pytest.mark.parametrize("text", ["1970-01-01", "1970-01-01T24:00:01Z", "٠٩٧٠-01-01T00:00:01Z"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Moment().deserialize(text)


@pytest.mark.parametrize(
    "text", ["", "+1", " 1", "1 ", "0x1", "1_0", "01", "nan", "1.", ".5", "\u0661"]
)
def test_only_plain_numbers_are_numbers(text: str) -> None:
    assert number(text) == text
