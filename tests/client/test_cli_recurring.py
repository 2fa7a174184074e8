"""`waystation recurring` at a real station."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.client.command_line import CommandLine
from tests.client.conftest import MakeName
from tests.waiting import until
from waystation.cli.recurring import schedule_of

pytestmark = pytest.mark.client


def test_one_is_begun_paused_resumed_and_cancelled(
    waystation: CommandLine, named: MakeName
) -> None:
    waystation("agents", "register", named("bob"))
    begun = waystation(
        *("recurring", "create", named("bob"), "good morning", "--as", named("alice")),
        *("--cron", "0 9 * * 1-5", "--timezone", "Europe/Berlin", "--priority", "high"),
    )
    recurring = begun.stdout.strip()

    shown = waystation("recurring", "show", recurring, "--json").document
    listed = waystation("recurring", "list", "--from", named("alice"))
    paused = waystation("recurring", "pause", recurring)
    resumed = waystation("recurring", "resume", recurring, "--json")
    cancelled = waystation("recurring", "cancel", recurring)
    late = waystation("recurring", "pause", recurring)

    assert (shown["schedule"], shown["timezone"]) == ("0 9 * * 1-5", "Europe/Berlin")
    assert (shown["priority"], shown["body"]) == ("high", "good morning")
    assert listed.stdout.startswith(f"{recurring}\t{named('alice')}\t{named('bob')}\t")
    assert paused.stdout == f"{recurring} paused\n"
    assert resumed.document["status"] == "active"
    assert cancelled.stdout == f"{recurring} cancelled\n"
    assert late.exit_code == 4


def test_its_times_are_told_before_and_what_became_of_them_after(
    waystation: CommandLine, named: MakeName
) -> None:
    waystation("agents", "register", named("bob"))
    begun = waystation(
        *("recurring", "create", named("bob"), "--as", named("alice"), "--every", "1s", "--json"),
        stdin="tick {{count}}\n",
    )
    recurring = begun.document["id"]

    times = waystation("recurring", "next", recurring, "--count", "3")

    assert begun.document["schedule"] == "interval:1"
    assert len(times.stdout.splitlines()) == 3

    def was_sent() -> bool:
        return "\tsent\t" in waystation("recurring", "history", recurring).stdout

    until(was_sent, within=15, what="it was sent once")
    waystation("recurring", "cancel", recurring)


def test_a_moment_of_this_machine_is_that_of_the_station(
    waystation: CommandLine, named: MakeName
) -> None:
    waystation("agents", "register", named("bob"))
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)

    begun = waystation(
        *("recurring", "create", named("bob"), "once", "--as", named("alice"), "--json"),
        *("--at", tomorrow.isoformat()),
    )

    assert datetime.fromisoformat(begun.document["next_at"]) == tomorrow
    waystation("recurring", "cancel", begun.document["id"])


@pytest.mark.parametrize("words", [(), ("--every", "1m", "--cron", "0 9 * * *")])
def test_when_has_to_be_said_in_one_way(waystation: CommandLine, words: tuple[str, ...]) -> None:
    ended = waystation("recurring", "create", "bob", "hello", "--as", "alice", *words)

    assert ended.exit_code == 2
    assert "--every, --cron and --at" in ended.stderr


def test_a_schedule_that_is_none_is_refused_by_the_station(waystation: CommandLine) -> None:
    ended = waystation("recurring", "create", "bob", "hello", "--as", "alice", "--cron", "never")

    assert ended.exit_code == 8
    assert "schedule" in ended.stderr


def test_short_intervals_keep_their_fraction() -> None:
    assert schedule_of(every=1.5, cron=None, once_at=None) == "interval:1.5"
