"""`waystation keys` and `waystation invitations` at a station that asks for tokens."""

import stat

import pytest

from tests.client.command_line import CommandLine
from tests.client.conftest import MakeName
from tests.process.stations import Station
from tests.waiting import until
from waystation import Station as Client
from waystation.configuration import Configuration, config_path, configured

pytestmark = pytest.mark.client


@pytest.fixture
def as_admin(guarded: Station, admin: Client, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line of an admin."""
    assert admin.configuration.token is not None
    monkeypatch.setenv("WAYSTATION_TOKEN", admin.configuration.token)
    return CommandLine(url=guarded.url)


def test_a_token_is_printed_once_and_works(
    guarded: Station, as_admin: CommandLine, named: MakeName
) -> None:
    made = as_admin("keys", "create", named("bob"), "--scope", f"agent:{named('bob')}")
    listed = as_admin("keys", "list", "--json").document["keys"]

    with Client(guarded.url, token=made.stdout.strip()) as bob:
        assert bob.me().scopes == [f"agent:{named('bob')}"]
    key = next(one for one in listed if one["name"] == named("bob"))
    assert key["id"] in made.stderr
    assert "token" not in key
    assert f"status\t{key['status']}\n" in as_admin("keys", "show", key["id"]).stdout


def test_a_saved_token_is_in_a_file_of_its_owner_and_a_profile_leads_to_it(
    guarded: Station, as_admin: CommandLine, named: MakeName, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = named("bob")

    made = as_admin("keys", "create", bob, "--scope", f"agent:{bob}", "--save", bob, "--json")
    again = as_admin("keys", "create", bob, "--scope", f"agent:{bob}", "--save", bob)

    monkeypatch.delenv("WAYSTATION_TOKEN")
    found = configured(profile=bob)
    path = config_path().parent / f"{bob}.key"
    assert (found.url, found.agent, found.token_path) == (guarded.url, bob, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made.document["token_file"] == str(path)
    assert found.token
    assert found.token not in made.stdout + made.stderr
    assert again.exit_code == 4
    with Client(profile=bob) as client:
        assert client.me().scopes == [f"agent:{bob}"]


def test_nothing_is_made_that_could_be_kept_nowhere(
    as_admin: CommandLine, named: MakeName, monkeypatch: pytest.MonkeyPatch
) -> None:
    config_path().parent.joinpath("file").write_text("")
    monkeypatch.setenv("WAYSTATION_CONFIG", str(config_path().parent / "file" / "config.toml"))

    ended = as_admin("keys", "create", named("bob"), "--scope", "operator", "--save", "bob")

    assert ended.exit_code != 0
    listed = as_admin("keys", "list", "--json")
    assert named("bob") not in listed.stdout


def test_a_key_is_rotated_and_revoked(
    guarded: Station, as_admin: CommandLine, named: MakeName
) -> None:
    made = as_admin("keys", "create", named("op"), "--scope", "operator", "--json").document

    rotated = as_admin("keys", "rotate", made["id"], "--overlap", "1h").stdout.strip()
    with Client(guarded.url, token=made["token"]) as old, Client(guarded.url, token=rotated) as new:
        assert old.me().is_operator
        assert new.me().is_operator
    revoked = as_admin("keys", "revoke", made["id"])

    assert revoked.stdout == f"{made['id']} revoked\n"

    def is_refused() -> bool:
        return (
            CommandLine(url=guarded.url).process("stats", WAYSTATION_TOKEN=rotated).exit_code == 5
        )

    until(is_refused, within=20, what="the key is refused")


def test_a_key_ends_when_it_was_said_to(as_admin: CommandLine, named: MakeName) -> None:
    made = as_admin(
        "keys", "create", named("op"), "--scope", "operator", "--expires-in", "30d", "--json"
    )

    assert made.document["expires_at"] is not None


def test_who_is_no_admin_makes_no_keys(guarded: Station) -> None:
    ended = CommandLine(url=guarded.url)("keys", "create", "x", "--scope", "admin")

    assert ended.exit_code == 5


def test_an_invitation_lets_one_agent_in(
    guarded: Station, as_admin: CommandLine, named: MakeName
) -> None:
    bob = named("bob")

    made = as_admin("invitations", "create", "--for", bob, "--expires-in", "1h", "--json").document
    with Client(configuration=Configuration(url=guarded.url)) as newcomer:
        enrolled = newcomer.agents.register(bob, invitation=made["token"])
    shown = as_admin("invitations", "show", made["id"], "--json").document
    revoked = as_admin("invitations", "revoke", made["id"])
    listed = as_admin("invitations", "list")

    assert enrolled.api_key
    assert (shown["pattern"], shown["used"], shown["uses"]) == (bob, 1, 1)
    assert revoked.exit_code == 0
    assert made["id"] in listed.stdout
    assert made["token"] not in listed.stdout


def test_an_invitation_is_printed_once(as_admin: CommandLine) -> None:
    made = as_admin("invitations", "create", "--pattern", "build-*", "--uses", "3")

    assert len(made.stdout.split()) == 1
    assert "build-*" in made.stderr
