"""`waystation top` in a real terminal, in a pipe, and as JSON."""

import json
import signal

import pytest

from tests.client.command_line import CommandLine
from tests.client.conftest import MakeName
from tests.client.relay import relaying
from tests.client.terminal import (
    ALTERNATE_SCREEN,
    FORMER_SCREEN,
    VISIBLE_CURSOR,
    Terminal,
    in_terminal,
)
from tests.process.stations import Station
from waystation import Station as Client

pytestmark = pytest.mark.client


def is_as_before(terminal: Terminal) -> bool:
    """Whether the shell that comes after it finds its screen, cursor and lines."""
    end = terminal.read().rpartition(ALTERNATE_SCREEN)[2]
    return FORMER_SCREEN in end and VISIBLE_CURSOR in end and terminal.is_for_lines


def test_it_draws_the_station_again_and_again_until_it_is_quit(
    station: Station, named: MakeName
) -> None:
    bob = named("bob")
    with Client(station.url) as client, in_terminal("--url", station.url, "top") as terminal:
        terminal.shows("q quit")
        assert len(terminal.picture) == 24
        assert max(map(len, terminal.picture)) <= 80
        assert not terminal.is_for_lines

        client.agents.register(bob)
        client.messages.send("user", bob, "hello")
        terminal.shows(bob)
        terminal.shows("delivery.queued")
        terminal.press("s")
        terminal.shows("by oldest")
        terminal.press("q")

        assert terminal.ends() == 0
        assert is_as_before(terminal)


def test_it_fills_a_terminal_whose_size_changes(station: Station) -> None:
    with in_terminal("--url", station.url, "top") as terminal:
        terminal.shows("q quit")

        terminal.resize(lines=40, columns=120)

        terminal.shows(" " * 100)
        assert len(terminal.picture) == 40


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 143), (signal.SIGINT, 130)]
)
def test_a_signal_ends_it_and_leaves_the_terminal_as_it_was(
    station: Station, number: int, status: int
) -> None:
    with in_terminal("--url", station.url, "top") as terminal:
        terminal.shows("q quit")

        terminal.process.send_signal(number)

        assert terminal.ends() == status
        assert is_as_before(terminal)


def test_ctrl_c_ends_it(station: Station) -> None:
    with in_terminal("--url", station.url, "top") as terminal:
        terminal.shows("q quit")

        terminal.press("\x03")

        assert terminal.ends() == 130
        assert is_as_before(terminal)


def test_ctrl_z_does_not_leave_the_shell_in_the_middle_of_the_picture(station: Station) -> None:
    with in_terminal("--url", station.url, "top") as terminal:
        terminal.shows("q quit")

        terminal.press("\x1aq")

        assert terminal.ends() == 0
        assert is_as_before(terminal)


def test_a_terminal_of_a_few_lines_shows_what_fits(station: Station) -> None:
    with in_terminal("--url", station.url, "top", lines=5, columns=30) as terminal:
        terminal.shows("depth")
        assert len(terminal.picture) == 5
        assert max(map(len, terminal.picture)) <= 30

        terminal.press("q")

        assert terminal.ends() == 0


def test_an_error_ends_it_and_is_read_on_the_screen_that_was_there_before(
    guarded: Station, admin: Client
) -> None:
    key = admin.keys.create("operator", ["operator"])

    with in_terminal("--url", guarded.url, "top", WAYSTATION_TOKEN=key.token) as terminal:
        terminal.shows("q quit")
        admin.keys.revoke(key.id)

        assert terminal.ends() == 5
        assert is_as_before(terminal)
        assert "Error: " in terminal.written.rpartition(FORMER_SCREEN)[2]


def test_a_station_that_goes_away_is_shown_as_it_was(station: Station) -> None:
    with (
        relaying(station.port) as relay,
        in_terminal("--url", relay.url, "top") as terminal,
    ):
        terminal.shows("q quit")

        relay.close()

        terminal.shows("AWAY")
        terminal.press("q")
        assert terminal.ends() == 0


def test_in_a_pipe_it_is_one_plain_picture(
    station: Station, waystation: CommandLine, named: MakeName
) -> None:
    waystation("agents", "register", named("bob"))

    ended = waystation.process("top")

    assert ended.exit_code == 0
    assert "\x1b" not in ended.stdout
    assert ended.stdout.startswith(f"waystation {station.url}")
    assert named("bob") in ended.stdout


def test_as_json_it_is_a_document_a_look(waystation: CommandLine) -> None:
    with waystation.start("top", "--json", "--every", "50ms") as process:
        assert process.stdout is not None
        looks = [json.loads(process.stdout.readline()) for _ in range(3)]
        process.send_signal(signal.SIGTERM)
        status = process.wait(10)

    assert status == 143
    assert looks[0]["at"] < looks[1]["at"] < looks[2]["at"]
    assert looks[0]["stats"]["processes"]["routing"] == 1
    assert looks[0]["not_ready"] is None


def test_once_and_as_json_it_is_one_document(waystation: CommandLine) -> None:
    ended = waystation("top", "--once", "--json")

    assert ended.exit_code == 0
    assert {"stats", "agents", "events"} <= ended.document.keys()


def test_who_is_no_operator_may_not_look(guarded: Station) -> None:
    ended = CommandLine(url=guarded.url)("top", "--once")

    assert ended.exit_code == 5
