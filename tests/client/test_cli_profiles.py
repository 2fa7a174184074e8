"""`waystation profiles`: the configuration file, changed with care."""

import stat
from pathlib import Path

import pytest

from tests.client.command_line import CommandLine, Ended
from waystation.configuration import config_path, configured

pytestmark = pytest.mark.client

COMMENTED = """\
# my stations
profile = "home"  # mostly

[profiles.home]  # the one under the desk
url = "http://127.0.0.1:8080"
agent = "alice"

[profiles.work]
url = "https://work.example"
token = "wsk_secret"
"""


def profiles(*words: str, stdin: str | None = None) -> Ended:
    """Run it without a station: none is asked."""
    return CommandLine(url="http://127.0.0.1:1")("profiles", *words, stdin=stdin)


@pytest.fixture
def path() -> Path:
    path = config_path()
    path.write_text(COMMENTED)
    path.chmod(0o644)
    return path


def test_the_first_one_makes_the_file_and_is_found_by_every_command() -> None:
    added = profiles("add", "desk", "--url", "http://127.0.0.1:9", "--as", "bob", "--use")

    found = configured()

    assert added.stdout == "desk added\n"
    assert (found.url, found.agent, found.profile) == ("http://127.0.0.1:9", "bob", "desk")
    assert stat.S_IMODE(config_path().stat().st_mode) == 0o600


def test_they_are_listed_without_their_secrets(path: Path) -> None:
    plain = profiles("list")
    document = profiles("list", "--json").document

    assert plain.stdout == (
        "home\thttp://127.0.0.1:8080\talice\t\t*\nwork\thttps://work.example\t\t(in the file)\t\n"
    )
    assert [one["used"] for one in document["profiles"]] == [True, False]
    assert "wsk_secret" not in plain.stdout + str(document)


def test_comments_and_order_are_kept(path: Path) -> None:
    profiles("add", "tram", "--url", "http://tram:1")
    profiles("use", "work")
    profiles("remove", "tram")

    assert path.read_text().strip() == COMMENTED.replace('"home"', '"work"', 1).strip()


def test_a_file_with_a_token_is_closed_to_others(path: Path) -> None:
    profiles("use", "work")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_without_a_token_keeps_its_permissions(path: Path) -> None:
    path.write_text('[profiles.home]\nurl = "http://127.0.0.1:8080"\n')

    profiles("use", "home")

    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert configured().profile == "home"


def test_a_link_to_the_file_stays_one(path: Path, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    path.rename(real)
    path.symlink_to(real)

    profiles("use", "work")

    assert path.is_symlink()
    assert 'profile = "work"' in real.read_text()


def test_a_token_from_standard_input_goes_to_a_file_of_its_own() -> None:
    profiles("add", "bob", "--as", "bob", "--token-stdin", stdin="wsk_1\n")

    key = config_path().parent / "bob.key"
    assert (configured(profile="bob").token, key.read_text()) == ("wsk_1", "wsk_1\n")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "wsk_1" not in config_path().read_text()


def test_one_that_is_there_is_changed_only_when_that_is_said(path: Path) -> None:
    key = path.parent / "new.key"
    key.write_text("wsk_2")

    refused = profiles("add", "work", "--as", "carol", "--json")
    changed = profiles("add", "work", "--as", "carol", "--token-file", str(key), "--replace")

    assert (refused.exit_code, refused.problem["code"]) == (4, "profile_taken")
    assert changed.exit_code == 0
    found = configured(profile="work")
    assert (found.agent, found.token) == ("carol", "wsk_2")
    assert "wsk_secret" not in path.read_text()


def test_what_holds_is_shown_with_where_it_comes_from(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYSTATION_AGENT", "dave")

    shown = profiles("show", "work", "--url", "https://work.example", "--json").document
    elsewhere = profiles("show", "work", "--json").document

    assert (shown["agent"], shown["agent from"]) == ("dave", "WAYSTATION_AGENT")
    assert shown["token from"] == "profile work"
    assert "token from" not in elsewhere, "the token is for the profile's own station"
    assert shown["token"] == "(not shown)"


@pytest.mark.parametrize("words", [("use", "none"), ("remove", "none")])
def test_one_that_is_not_there_is_not_found(path: Path, words: tuple[str, ...]) -> None:
    ended = profiles(*words)

    assert ended.exit_code == 3
    assert "home, work" in ended.stderr
    assert path.read_text() == COMMENTED


@pytest.mark.parametrize("name", ["../evil", ".hidden", ""])
def test_a_name_is_no_way_to_another_directory(name: str) -> None:
    assert profiles("add", name, "--token-stdin", stdin="t").exit_code == 2


@pytest.mark.parametrize(
    "words",
    [("--url", "home"), ("--token-file", "/no/such.key"), ("--token-file", "k", "--token-stdin")],
)
def test_what_could_not_be_used_is_not_kept(path: Path, words: tuple[str, ...]) -> None:
    ended = profiles("add", "new", *words)

    assert ended.exit_code == 2
    assert path.read_text() == COMMENTED


def test_a_broken_file_is_not_touched(path: Path) -> None:
    path.write_text("[profiles.home\n")

    assert profiles("use", "home").exit_code == 2
    assert path.read_text() == "[profiles.home\n"


def test_removing_the_one_in_use_leaves_none_chosen(path: Path) -> None:
    profiles("remove", "home")

    assert configured().url == "http://127.0.0.1:8080"
    assert 'profile = "' not in path.read_text()
