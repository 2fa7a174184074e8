"""What all commands have in common: options, output, errors, exit codes."""

import importlib
import socket
import subprocess
import sys

import click
import pytest

from tests.client.command_line import CommandLine
from tests.client.conftest import MakeName
from tests.waiting import until
from waystation.cli import COMMANDS, main

pytestmark = pytest.mark.client

_AT_ONCE = ("--as", "user", "--timeout", "0")


@pytest.fixture
def nowhere() -> str:
    """A URL at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.mark.parametrize(
    ("name", "module", "says"),
    [(name, *entry) for section in COMMANDS.values() for name, entry in section.items()],
)
def test_every_command_of_the_table_is_there(name: str, module: str, says: str) -> None:
    command = importlib.import_module(f"waystation.cli.{module}").command

    assert command.name == name
    assert command.help
    assert says.endswith(".")
    assert isinstance(main.get_command(click.Context(main), name), click.Command)


def test_the_options_of_every_command_count_before_and_after_it(
    waystation: CommandLine, named: MakeName
) -> None:
    waystation("agents", "register", "--as", named("bob"))

    after = waystation("send", named("bob"), "hello", "--as", named("alice"), "--json")
    before = waystation("--as", named("alice"), "--json", "send", named("bob"), "hello")
    nearest = waystation("--as", "x y", "send", named("bob"), "hello", "--as", named("alice"))

    assert after.document["created"]
    assert before.document["created"]
    assert nearest.stdout.startswith("msg_")


def test_a_problem_is_told_on_stderr_with_what_to_do(
    waystation: CommandLine, named: MakeName
) -> None:
    waystation("agents", "register", named("roberta"))

    refused = waystation("send", named("robert"), "hello", "--as", named("alice"))

    assert (refused.exit_code, refused.stdout) == (3, "")
    assert refused.stderr.startswith("Error: ")
    assert named("roberta") in refused.stderr
    assert "waystation agents list" in refused.stderr


def test_as_json_a_problem_is_the_document_of_the_station(
    waystation: CommandLine, named: MakeName
) -> None:
    refused = waystation("send", named("nobody"), "hello", "--as", named("alice"), "--json")

    assert refused.exit_code == 3
    assert (refused.problem["code"], refused.problem["status"]) == ("unknown_agent", 404)


def test_what_is_invalid_is_told_field_by_field(waystation: CommandLine) -> None:
    refused = waystation("send", "bob", "hello", "--as", "x y")

    assert refused.exit_code == 8
    assert "\n  from: " in refused.stderr


def test_what_is_not_allowed_and_what_is_too_much_have_exit_codes_of_their_own(
    waystation: CommandLine, named: MakeName
) -> None:
    waystation(
        "agents", "register", named("owner"), "--queue-max-depth", "1", "--on-full", "reject"
    )
    waystation("channels", "create", named("secret"), "--as", named("owner"), "--private")

    forbidden = waystation("channels", "post", named("secret"), "hello", "--as", "user")
    waystation("send", named("owner"), "one", "--as", "user")
    full = until(
        lambda: (
            ended
            if (ended := waystation("send", named("owner"), "more", *_AT_ONCE)).exit_code
            else None
        ),
        within=10,
        what="the inbox is full",
    )

    assert (forbidden.exit_code, full.exit_code) == (5, 9)
    assert "Come back in " in full.stderr


def test_where_no_station_is_the_command_says_so(nowhere: str) -> None:
    waystation = CommandLine(url=nowhere)

    told = waystation("send", "bob", "hello", "--as", "alice", "--timeout", "0")
    as_json = waystation("send", "bob", "hello", "--as", "alice", "--timeout", "0", "--json")

    assert told.exit_code == as_json.exit_code == 6
    assert nowhere in told.stderr
    assert "waystation doctor" in told.stderr
    assert as_json.problem["code"] == "unreachable"


def test_who_is_not_named_is_told_how(waystation: CommandLine) -> None:
    refused = waystation("send", "bob", "hello")

    in_json = waystation("--json", "send", "bob", "hello", "--colour", "red")

    assert refused.exit_code == in_json.exit_code == 2
    assert in_json.problem["code"] == "usage"
    assert "--as" in refused.stderr
    assert "WAYSTATION_AGENT" in refused.stderr


def test_the_environment_and_a_profile_say_who_asks(
    waystation: CommandLine, named: MakeName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYSTATION_AGENT", named("carol"))

    sent = waystation("send", "user", "hello", "--json")
    shown = waystation("show", sent.document["id"], "--json")

    assert shown.document["message"]["from"] == named("carol")


def test_an_unknown_command_has_near_names(waystation: CommandLine) -> None:
    refused = waystation("sned", "bob")

    assert refused.exit_code == 2
    assert "Did you mean send?" in refused.stderr


def test_a_token_that_can_not_be_read_is_a_wrong_call(waystation: CommandLine) -> None:
    refused = waystation("send", "user", "hi", "--as", "a", "--token-file", "/nowhere/at/all")

    assert refused.exit_code == 2
    assert "/nowhere/at/all" in refused.stderr


def test_help_is_given_without_loading_what_talks_to_the_station() -> None:
    seen = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "waystation", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert "WAYSTATION_URL" in seen.stdout
    for heavy in ("aiohttp", "rich", "msgspec"):
        assert f" {heavy}\n" not in seen.stderr
