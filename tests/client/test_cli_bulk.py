"""Sending many messages by the command line."""

import json

import pytest

from tests.client.command_line import CommandLine
from tests.client.conftest import MakeName
from tests.process.stations import Station
from waystation import Station as Client
from waystation import each

pytestmark = pytest.mark.client


@pytest.fixture
def bob(waystation: CommandLine, named: MakeName) -> str:
    """A registered agent."""
    assert waystation("agents", "register", named("bob")).exit_code == 0
    return named("bob")


def test_each_line_is_a_message_sent_in_order(
    waystation: CommandLine, station: Station, bob: str, named: MakeName
) -> None:
    lines = "\n".join(json.dumps({"body": f"number {number}"}) for number in range(1200))

    sent = waystation(
        *("send", bob, "--jsonl", "--as", named("alice"), "--kind", "task"), stdin=lines
    )

    ids = sent.stdout.split()
    assert (sent.exit_code, len(set(ids))) == (0, 1200)
    with Client(station.url) as client:
        listed = list(each(client.messages.list, sender=named("alice"), limit=500))
    assert [one.id for one in reversed(listed)] == ids
    assert {one.kind for one in listed} == {"task"}
    assert listed[0].body == "number 1199"


def test_a_line_that_is_wrong_is_named_and_the_others_are_sent(
    waystation: CommandLine, bob: str, named: MakeName
) -> None:
    lines = [
        json.dumps({"to": bob, "body": "one"}),
        "",
        "{oops",
        "[1]",
        json.dumps({"body": "to whom?"}),
        json.dumps({"to": named("nobody"), "body": "hello?"}),
        json.dumps({"to": bob, "body": "x", "colour": "red"}),
        json.dumps({"to": bob, "body": "two", "priority": "high"}),
    ]

    sent = waystation("send", "--jsonl", "--as", "user", stdin="\n".join(lines))
    as_json = waystation("send", "--jsonl", "--as", "user", "--json", stdin="\n".join(lines))

    assert (sent.exit_code, len(sent.stdout.split())) == (1, 2)
    complaints = sent.stderr.splitlines()
    assert [line.split(":")[0] for line in complaints] == [
        *("line 3", "line 4", "line 5", "line 6", "line 7"),
        "Error",
    ]
    assert named("nobody") in complaints[3]
    assert "colour" in complaints[4]
    assert complaints[5] == "Error: 5 of 7 could not be sent."
    told = {one["line"]: one for one in as_json.documents}
    assert sorted(told) == [1, 3, 4, 5, 6, 7, 8]
    assert told[8]["id"].startswith("msg_")
    assert told[6]["problem"]["code"] == "unknown_agent"


def test_the_same_input_under_the_same_key_is_sent_once(
    waystation: CommandLine, bob: str, named: MakeName
) -> None:
    words = ("send", bob, "--jsonl", "--as", named("alice"), "--key", "import", "--json")
    lines = '{"body": "one"}\n{"body": "two"}\n'

    first = waystation(*words, stdin=lines).documents
    again = waystation(*words, stdin=lines).documents

    assert [one["id"] for one in first] == [one["id"] for one in again]
    assert [one["created"] for one in again] == [False, False]


def test_many_lines_are_not_sent_along_with_a_body(waystation: CommandLine, bob: str) -> None:
    refused = waystation("send", bob, "hello", "--jsonl", "--as", "user", stdin="")

    assert refused.exit_code == 2
