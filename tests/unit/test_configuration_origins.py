"""Where the client's settings come from, as it says itself."""

from pathlib import Path

import pytest

from waystation.configuration import configured

pytestmark = pytest.mark.unit


def test_each_setting_says_where_it_came_from(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    key = tmp_path / "alice.key"
    key.write_text("t2\n")
    path.write_text('[profiles.default]\nurl = "http://home:1"\nagent = "alice"\ntoken = "t1"\n')
    environ = {"WAYSTATION_CONFIG": str(path), "WAYSTATION_AGENT": "bob"}

    mixed = configured(environ=environ)
    by_file = configured(environ=environ | {"WAYSTATION_TOKEN_FILE": str(key)})
    by_argument = configured(url="http://there:2", token_file=str(key), environ={})

    assert mixed.origins == {
        "url": "profile default",
        "agent": "WAYSTATION_AGENT",
        "token": "profile default",
    }
    assert (mixed.token, mixed.token_path) == ("t1", path)
    assert (by_file.token, by_file.token_path) == ("t2", key)
    assert by_file.origins["token"] == "WAYSTATION_TOKEN_FILE"
    assert by_argument.origins == {"url": "an argument", "token": "an argument"}
    assert by_argument.token_path == key
    assert configured(environ={}).origins["url"] == "the default"


def test_a_token_of_the_environment_stands_in_no_file(tmp_path: Path) -> None:
    environ = {"WAYSTATION_CONFIG": str(tmp_path / "none"), "WAYSTATION_TOKEN": "t"}

    assert configured(environ=environ).token_path is None
