"""`waystation dead-letters` at a real station."""

from collections.abc import Callable

import pytest

from tests.client.command_line import CommandLine
from tests.client.conftest import MakeName
from tests.client.terminal import in_terminal
from tests.process.stations import Station
from tests.waiting import until
from waystation import Station as Client

pytestmark = pytest.mark.client

Kill = Callable[..., list[str]]


@pytest.fixture
def kill(station: Station, named: MakeName) -> Kill:
    """Let messages to an agent of the test die; the ids of their dead letters, newest first."""

    def kill(agent: str = "bob", *, count: int = 1) -> list[str]:
        with Client(station.url) as client:
            client.agents.register(named(agent))
            for _ in range(count):
                client.messages.send("user", named(agent), "never mind")
            for _ in range(count):
                message = client.messages.fetch(named(agent), limit=1, wait_seconds=10).messages[0]
                assert message.lease is not None
                client.messages.nack(
                    message.id,
                    agent_id=named(agent),
                    lease_token=message.lease.token,
                    permanent=True,
                )
            letters = client.dead_letters.list(agent=named(agent), status="open").dead_letters
            assert len(letters) == count
            return [letter.id for letter in letters]

    return kill


def depth(station: Station, agent: str) -> int:
    with Client(station.url) as client:
        return len(client.messages.fetch(agent, limit=1000, peek=True).messages)


def test_they_are_listed_by_filter_and_shown_with_their_attempts(
    waystation: CommandLine, named: MakeName, kill: Kill
) -> None:
    (letter,) = kill("bob")
    kill("eve")

    listed = waystation("dead-letters", "list", "--of", named("bob"), "--json")
    columns = waystation("dead-letters", "list", "--of", named("bob"), "--status", "open")
    shown = waystation("dead-letters", "show", letter)

    assert [one["id"] for one in listed.document["dead_letters"]] == [letter]
    assert columns.stdout.startswith(f"{letter}\t{named('bob')}\trejected\t")
    assert f"id\t{letter}\n" in shown.stdout
    assert "body\tnever mind\n" in shown.stdout
    assert "\n1\trejected\t" in shown.stdout


def test_one_is_retried_and_comes_back(
    station: Station, waystation: CommandLine, named: MakeName, kill: Kill
) -> None:
    (letter,) = kill()

    retried = waystation("dead-letters", "retry", letter)
    again = waystation("dead-letters", "retry", letter)

    assert retried.stdout == f"{letter} retried\n"
    assert again.exit_code == 4
    until(lambda: depth(station, named("bob")) == 1, within=10, what="the message is back")


def test_several_are_resolved_and_those_that_can_not_be_are_named(
    waystation: CommandLine, kill: Kill
) -> None:
    first, second = kill(count=2)
    waystation("dead-letters", "resolve", first, "--because", "sent by hand")

    ended = waystation("dead-letters", "resolve", first, second, "--because", "enough", "--json")

    assert ended.exit_code == 1
    results = {one["id"]: one for one in ended.document["results"]}
    assert results[first]["problem"]["code"] == "dead_letter_closed"
    assert results[second]["status"] == "resolved"


def test_all_that_match_are_retried_and_nobody_else(
    station: Station, waystation: CommandLine, named: MakeName, kill: Kill
) -> None:
    kill("bob", count=3)
    (other,) = kill("eve")

    refused = waystation("dead-letters", "retry", "--of", named("bob"))
    ended = waystation("dead-letters", "retry", "--of", named("bob"), "--yes")
    none = waystation("dead-letters", "retry", "--of", named("bob"), "--yes")

    assert refused.exit_code == 2
    assert "Retry 3 dead letters?" in refused.stderr
    assert ended.stdout == "3 done, 0 not\n"
    assert none.stdout == "0 done, 0 not\n"
    until(lambda: depth(station, named("bob")) == 3, within=10, what="the messages are back")
    assert waystation("dead-letters", "show", other, "--json").document["status"] == "open"


def test_more_than_are_dealt_with_at_once_are_all_dealt_with(
    waystation: CommandLine, named: MakeName, kill: Kill, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("waystation.cli.dead_letters._AT_ONCE", 2)
    letters = kill(count=5)

    words = ("--of", named("bob"), "--because", "old", "--yes", "--json")
    ended = waystation("dead-letters", "resolve", *words)

    assert [one["id"] for one in ended.document["results"]] == letters
    assert {one["status"] for one in ended.document["results"]} == {"resolved"}


def test_somebody_in_a_terminal_is_asked(
    station: Station, waystation: CommandLine, named: MakeName, kill: Kill
) -> None:
    (letter,) = kill()
    words = ("--url", station.url, "dead-letters", "resolve", "--because", "old", "--of")

    with in_terminal(*words, named("bob")) as terminal:
        until(lambda: "Resolve 1 dead letter?" in terminal.read(), within=20, what="the question")
        terminal.press("n\n")
        assert terminal.ends() == 1
    still = waystation("dead-letters", "show", letter, "--json").document["status"]
    with in_terminal(*words, named("bob")) as terminal:
        until(lambda: "Resolve 1 dead letter?" in terminal.read(), within=20, what="the question")
        terminal.press("y\n")
        assert terminal.ends() == 0

    assert still == "open"
    assert waystation("dead-letters", "show", letter, "--json").document["resolution"] == "old"


@pytest.mark.parametrize("words", [(), ("dl_1", "--all"), ("--all", "--reason", "rejected")])
def test_which_ones_has_to_be_said_in_one_way(
    waystation: CommandLine, words: tuple[str, ...]
) -> None:
    assert waystation("dead-letters", "retry", *words).exit_code == 2


def test_one_that_is_not_there_is_not_found(waystation: CommandLine) -> None:
    ended = waystation("dead-letters", "show", "dlq_01ARZ3NDEKTSV4RRFFQ69G5FAV")

    assert ended.exit_code == 3
