"""`waystation webhooks` at a real station with a real endpoint."""

import pytest

from tests.client.command_line import CommandLine
from tests.client.conftest import MakeName
from tests.process.stations import Station
from tests.receivers import receiving
from waystation import Station as Client

pytestmark = pytest.mark.client


@pytest.fixture
def waystation(guarded: Station, admin: Client, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line of an operator, at a station that posts to this machine as well."""
    monkeypatch.setenv("WAYSTATION_TOKEN", admin.keys.create("operator", ["operator"]).token)
    return CommandLine(url=guarded.url)


def test_one_is_set_tested_rotated_and_removed(waystation: CommandLine, named: MakeName) -> None:
    bob = named("bob")
    waystation("agents", "register", bob)
    with receiving() as endpoint:
        secret = waystation(
            *("webhooks", "set", bob, endpoint.url),
            *("--header", "X-Team: green", "--answer-within", "5s"),
        )
        changed = waystation("webhooks", "set", bob, endpoint.url)
        tried = waystation("webhooks", "test", bob)
        shown = waystation("webhooks", "show", bob, "--json").document
        fresh = waystation("webhooks", "rotate", bob)

        assert secret.stdout.startswith("whsec_")
        assert changed.stdout == f"{bob} active\n"
        assert tried.exit_code == 0
        assert endpoint.requests[0].is_signed_with(secret.stdout.strip())
        assert (shown["url"], shown["status"]) == (endpoint.url, "active")
        assert fresh.stdout.startswith("whsec_")
        assert fresh.stdout != secret.stdout
    assert waystation("webhooks", "remove", bob).stdout == f"{bob} removed\n"
    assert waystation("webhooks", "show", bob).exit_code == 3


def test_an_endpoint_that_refuses_fails_the_test(waystation: CommandLine, named: MakeName) -> None:
    bob = named("bob")
    waystation("agents", "register", bob)
    with receiving() as endpoint:
        endpoint.answers(500)
        waystation("webhooks", "set", bob, endpoint.url)

        tried = waystation("webhooks", "test", bob)

    assert tried.exit_code == 1
    assert "500" in tried.stdout


def test_a_header_is_a_name_and_a_value(waystation: CommandLine) -> None:
    ended = waystation("webhooks", "set", "bob", "https://example.org", "--header", "green")

    assert ended.exit_code == 2
