"""Bad input over REST: each gives a problem document that names every field."""

import json

import pytest
from werkzeug.test import TestResponse

from tests.contract.conftest import Api

pytestmark = pytest.mark.contract

MESSAGE = {"from": "alice", "to": "bob", "body": "hi"}


def fields_of(response: TestResponse) -> list[str]:
    """The fields that a problem names, after checking that it is a problem document."""
    problem = response.get_json()
    assert response.content_type == "application/problem+json"
    assert set(problem) == {"type", "title", "status", "detail", "code", "errors"}
    assert problem["status"] == response.status_code
    return [one["field"] for one in problem["errors"]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("from", None),
        ("from", 5),
        ("from", "a b"),
        ("from", "alice\n"),
        ("from", "a" * 129),
        ("to", None),
        ("to", 5),
        ("to", []),
        ("to", {"all_of": []}),
        ("to", "x:y"),
        ("to", "auto"),
        ("to", '{"any_of":["bob"]}'),
        ("to", {}),
        ("to", {"nor": ["bob"]}),
        ("to", ["bob", {"any_of": 5}]),
        ("to", {"any_of": ["b" * 70_000]}),
        ("to", "bob\n"),
        ("to", ["bob"] * 1001),
        ("body", ""),
        ("body", 5),
        ("body", ["x"]),
        ("body", "a\x00b"),
        ("body", "a\x1b[31mb"),
        ("body", "\x7f"),
        ("body", "\ud800"),
        ("payload", {"k": "\udfff"}),
        ("payload", {"\udfff": 1}),
        ("kind", ""),
        ("kind", "a\nb"),
        ("kind", "k" * 129),
        ("kind", 1),
        ("subject", "s" * 501),
        ("subject", "a\tb"),
        ("subject", "a\u2028b"),
        ("priority", "5"),
        ("priority", "HIGH"),
        ("priority", 10),
        ("priority", -1),
        ("priority", 5.0),
        ("priority", True),
        ("channel", "c" * 129),
        ("thread_id", "a\rb"),
        ("thread_id", "t" * 129),
        ("reply_to", "msg_1"),
        ("reply_to", "msg_" + "0" * 26),
        ("supersedes", "msg_" + "0" * 26),
        ("correlation_id", "c" * 257),
        ("idempotency_key", ""),
        ("idempotency_key", 7),
        ("ttl_seconds", 0),
        ("ttl_seconds", 0.5),
        ("ttl_seconds", -1),
        ("ttl_seconds", "60"),
        ("ttl_seconds", True),
        ("ttl_seconds", 10**400),
        ("ttl_seconds", 2_592_001),
        ("delay_seconds", -0.001),
        ("delay_seconds", 2_592_001),
        ("deliver_at", 1_700_000_000),
        ("deliver_at", "tomorrow"),
        ("deliver_at", "2026-01-31T12:00:00"),
        ("deliver_at", "2026-02-30T12:00:00Z"),
        ("deliver_at", "2999-01-01T00:00:00Z"),
        ("deliver_at", "2026-01-31T12:00:00Z\n"),
        ("expects_reply", 1),
        ("expects_reply", "true"),
        ("timeout_seconds", 0),
        ("claimable", "no"),
        ("strategy", "best"),
        ("strategy", 1),
        ("max_attempts", 0),
        ("max_attempts", 101),
        ("max_attempts", 1.5),
        ("hold_for_unknown", 0),
        ("epoch", 0),
        ("epoch", 2**53),
        ("color", "red"),
        ("From", "alice"),
    ],
)
def test_a_bad_field_is_named(api: Api, name: str, value: object) -> None:
    response = api.post("/messages", MESSAGE | {name: value})

    assert response.status_code == 422
    assert {one.split(".")[0] for one in fields_of(response)} == {name}


def test_every_bad_field_is_named_at_once(api: Api) -> None:
    message = {"to": ["bob", 5, "a\x00"], "priority": 12, "ttl_seconds": -1, "x": 1, "y": 2}

    response = api.post("/messages", message)

    assert sorted(fields_of(response)) == [
        "body",
        "from",
        "priority",
        "to.1",
        "to.2",
        "ttl_seconds",
        "x",
        "y",
    ]


def test_null_stands_for_absent(api: Api) -> None:
    nothing = dict.fromkeys(("subject", "payload", "priority", "reply_to", "ttl_seconds", "epoch"))

    response = api.post("/messages", MESSAGE | nothing)

    assert response.status_code == 202


@pytest.mark.parametrize(
    "message",
    [
        {"from": "alice", "to": "bob"},
        {"from": "alice", "to": "bob", "body": None, "payload": None},
    ],
)
def test_a_message_says_something(api: Api, message: dict[str, object]) -> None:
    assert fields_of(api.post("/messages", message)) == ["body"]


def test_a_message_has_one_time_of_delivery(api: Api) -> None:
    times = {"delay_seconds": 1, "deliver_at": "2026-01-31T12:00:00Z"}

    assert fields_of(api.post("/messages", MESSAGE | times)) == ["deliver_at"]


@pytest.mark.parametrize("value", [0, "", False, [], {}, "text", 1e300])
def test_any_json_is_a_payload(api: Api, value: object) -> None:
    api.send(payload=value)

    assert api.fetch()[0]["payload"] == value


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nonsense",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"from": "alice",}',
        b'{"from": "alice", "to": "bob", "body": "x"} {}',
        b'{"from": "alice", "to": "bob", "body": "x", "body": "y"}',
        b'{"from": "alice", "to": "bob", "payload": NaN}',
        b'{"from": "alice", "to": "bob", "payload": -Infinity}',
        b'{"payload": ' + b"9" * 5000 + b"}",
        b'{"payload": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"payload": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    ],
)
def test_what_is_not_json_is_malformed(api: Api, raw: bytes) -> None:
    response = api.call("POST", "/messages", data=raw, content_type="application/json")

    assert (response.status_code, response.get_json()["code"]) == (400, "malformed")
    assert fields_of(response) == []


@pytest.mark.parametrize("raw", [b"[]", b"5", b'"x"', b"null", b"true"])
def test_a_document_of_another_shape_is_invalid(api: Api, raw: bytes) -> None:
    response = api.call("POST", "/messages", data=raw, content_type="application/json")

    assert (response.status_code, fields_of(response)) == (422, ["$"])


def test_a_number_beyond_all_bounds_is_invalid(api: Api) -> None:
    raw = b'{"from": "alice", "to": "bob", "payload": [1e400], "ttl_seconds": 1e400}'

    response = api.call("POST", "/messages", data=raw, content_type="application/json")

    assert (response.status_code, fields_of(response)) == (422, ["payload", "ttl_seconds"])


@pytest.mark.parametrize("media_type", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_only_json_is_taken(api: Api, media_type: str | None) -> None:
    response = api.call("POST", "/messages", data=json.dumps(MESSAGE), content_type=media_type)

    assert (response.status_code, fields_of(response)) == (415, [])


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "application/x+json"])
def test_json_may_be_declared_in_several_ways(api: Api, media_type: str) -> None:
    response = api.call("POST", "/messages", data=json.dumps(MESSAGE), content_type=media_type)

    assert response.status_code == 202


def test_a_body_beyond_the_limit_is_too_large(api: Api) -> None:
    response = api.post("/messages", MESSAGE | {"body": "ü" * 200_000})

    assert (response.status_code, response.get_json()["code"]) == (413, "message_too_large")


def test_a_request_beyond_the_limit_is_not_read(api: Api) -> None:
    response = api.post("/messages", MESSAGE | {"body": "x" * 2_000_000})

    assert (response.status_code, response.get_json()["code"]) == (413, "request_too_large")
    assert fields_of(response) == []


def test_a_batch_may_be_larger_than_a_message(api: Api) -> None:
    batch = [MESSAGE | {"body": "x" * 200_000}] * 20

    response = api.post("/messages/batch", {"messages": batch})

    assert {one["status"] for one in response.get_json()["results"]} == {"accepted"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("limit=1.5", "limit"),
        ("limit=%201", "limit"),
        ("limit=%D9%A1", "limit"),
        ("limit=1e2", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("limit=99999999999999999999", "limit"),
        ("wait_seconds=61", "wait_seconds"),
        ("wait_seconds=-1", "wait_seconds"),
        ("wait_seconds=nan", "wait_seconds"),
        ("lease_seconds=0", "lease_seconds"),
        ("lease_seconds=43201", "lease_seconds"),
        ("lease_seconds=inf", "lease_seconds"),
        ("kinds=", "kinds.0"),
        ("kinds=a,,b", "kinds.1"),
        ("kinds=a%0A", "kinds.0"),
        ("min_priority=10", "min_priority"),
        ("min_priority=top", "min_priority"),
        ("peek=yes", "peek"),
        ("peek=1", "peek"),
        ("epoch=0", "epoch"),
        ("colour=red", "colour"),
        ("%00=1", "\\x00"),
    ],
)
def test_a_bad_parameter_is_named(api: Api, query: str, field: str) -> None:
    response = api.get(f"/agents/bob/inbox?{query}")

    assert (response.status_code, fields_of(response)) == (422, [field])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/agents/bob"),
        ("DELETE", "/agents/bob"),
        ("POST", "/messages"),
        ("GET", "/threads/x"),
    ],
)
def test_unknown_parameters_are_refused_everywhere(api: Api, method: str, path: str) -> None:
    options = {"json": MESSAGE} if method == "POST" else {}

    response = api.call(method, f"{path}?dry_run=true", **options)

    assert (response.status_code, fields_of(response)) == (422, ["dry_run"])


@pytest.mark.parametrize("text", ["2026-01-31T12:00:00+01:00", "2026-01-31 12:00:00.5Z"])
def test_moments_in_a_query_are_read(api: Api, text: str) -> None:
    assert api.call("GET", f"/messages?since={text}").status_code == 200


def test_an_unknown_path_is_a_problem(api: Api) -> None:
    for path in ("/nothing", "/messages/", "//messages", "/agents/a/b/c"):
        response = api.get(path)

        assert (response.status_code, fields_of(response)) == (404, [])


def test_an_unknown_method_is_a_problem(api: Api) -> None:
    response = api.call("PUT", "/messages")

    assert (response.status_code, fields_of(response)) == (405, [])
    assert "POST" in response.headers["Allow"]
