"""Where the client finds its station, its agent and its token."""

from collections.abc import Callable
from pathlib import Path

import pytest

from waystation.configuration import (
    DEFAULT_URL,
    Configuration,
    config_path,
    configured,
)
from waystation.errors import ConfigurationError

pytestmark = pytest.mark.unit

Configure = Callable[..., Configuration]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.fixture
def configure(file: Path) -> Configure:
    """Configure by a file, with these variables in the environment."""

    def configure(
        text: str | None = None, arguments: dict[str, str] | None = None, **environ: str
    ) -> Configuration:
        if text is not None:
            file.write_text(text)
        named = {f"WAYSTATION_{name.upper()}": value for name, value in environ.items()}
        return configured(**(arguments or {}), environ={"WAYSTATION_CONFIG": str(file)} | named)

    return configure


HOME = """
profile = "home"
[profiles.home]
url = "http://profile:1"
agent = "of-profile"
token = "token-of-profile"
[profiles.work]
url = "http://work:1"
"""


def test_with_nothing_said_it_is_the_station_on_this_machine(configure: Configure) -> None:
    assert configure() == Configuration(url=DEFAULT_URL, agent=None, token=None)


def test_the_file_says_which_of_its_profiles_holds(configure: Configure) -> None:
    found = configure(HOME)

    assert found == Configuration(
        url="http://profile:1", agent="of-profile", token="token-of-profile", profile="home"
    )


def test_the_environment_comes_before_the_profile(configure: Configure) -> None:
    found = configure(HOME, url="http://env:1", agent="of-env", token="token-of-env")

    assert (found.url, found.agent, found.token) == ("http://env:1", "of-env", "token-of-env")


def test_an_argument_comes_before_the_environment(configure: Configure) -> None:
    arguments = {"url": "http://arg:1", "agent": "of-arg", "token": "token-of-arg"}

    found = configure(HOME, arguments, url="http://env:1", agent="of-env", token="token-of-env")

    assert (found.url, found.agent, found.token) == ("http://arg:1", "of-arg", "token-of-arg")


def test_each_thing_comes_from_where_it_is_said(configure: Configure) -> None:
    found = configure(HOME, {"agent": "of-arg"}, token="token-of-env")

    assert (found.url, found.agent, found.token) == ("http://profile:1", "of-arg", "token-of-env")


def test_a_variable_that_is_empty_says_nothing(configure: Configure) -> None:
    found = configure(HOME, url="", agent="", token="", profile="")

    assert (found.url, found.agent, found.token) == (
        "http://profile:1",
        "of-profile",
        "token-of-profile",
    )


def test_a_profile_is_named_by_argument_or_environment(configure: Configure) -> None:
    assert configure(HOME, profile="work").url == "http://work:1"
    assert configure(HOME, {"profile": "home"}, profile="work").url == "http://profile:1"


def test_a_token_is_read_from_the_file_that_is_named(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "env.key").write_text("from-env-file\n")
    (tmp_path / "profile.key").write_text("  from-profile-file\n\n")
    text = f'[profiles.default]\ntoken_file = "{tmp_path}/profile.key"'

    assert configure(text).token == "from-profile-file"
    assert configure(text, token_file=f"{tmp_path}/env.key").token == "from-env-file"
    assert configure(text, token="said", token_file=f"{tmp_path}/env.key").token == "said"


def test_the_token_of_a_profile_is_for_its_station_alone(configure: Configure) -> None:
    elsewhere = configure(HOME, url="http://another:1")
    written_otherwise = configure(HOME, url="http://profile:1/")

    assert (elsewhere.agent, elsewhere.token) == ("of-profile", None)
    assert written_otherwise.token == "token-of-profile"


def test_a_token_is_not_shown(configure: Configure) -> None:
    assert "token-of-profile" not in repr(configure(HOME))


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("https://example.com/api/v1", "https://example.com"),
        ("https://example.com/bus/api/v1/", "https://example.com/bus"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_url_is_taken_as_people_write_it(configure: Configure, url: str, meant: str) -> None:
    assert configure(url=url).url == meant


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8080",
        "localhost",
        "ftp://example.com",
        "http://",
        "http://:8080",
        "http://[::1",
        "http://example.com:port",
        "http://example.com?x=1",
        "http://example.com#top",
        "http://bob:secret@example.com",
    ],
)
def test_what_is_no_url_of_a_station_is_refused(configure: Configure, url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        configure(url=url)

    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("profile = ", "not TOML"),
        ('profile = "hom"\n[profiles.home]', "no profile hom .did you mean home"),
        ('profile = "work"\n[profiles.home]', "no profile work; it has: home"),
        ('profil = "home"', "unknown key profil .did you mean profile"),
        ('[profiles.default]\nadress = "x"', "unknown key adress; known are agent, token, "),
        ('[profiles.default]\ntokenfile = "x"', "tokenfile .did you mean token_file"),
        ("[profiles.default]\nurl = 7", "url of profile default must be text"),
        ("profiles = 7", "profiles must be a table"),
        ("[profiles]\ndefault = 7", "profile default must be a table"),
        ("profile = 7", "must be the name of one"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_name_and_the_place(
    configure: Configure, file: Path, text: str, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        configure(text)

    assert str(file) in str(refused.value)


def test_a_profile_that_is_asked_for_has_to_be_there(configure: Configure) -> None:
    with pytest.raises(ConfigurationError, match="no profile work; it has: none"):
        configure(profile="work")


def test_a_file_that_is_no_text_is_refused(configure: Configure, file: Path) -> None:
    file.write_bytes(b"\xff\xfe")

    with pytest.raises(ConfigurationError, match="can't be read"):
        configure()


@pytest.mark.parametrize("content", ["", "two words", "ü", "a\nb"])
def test_a_token_file_without_a_token_is_refused(
    configure: Configure, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "some.key"
    file.write_text(content)

    with pytest.raises(ConfigurationError, match=r"some\.key") as refused:
        configure(token_file=str(file))

    assert not content or content not in str(refused.value)


def test_a_token_file_that_is_missing_is_refused(configure: Configure, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing\.key"):
        configure(token_file=f"{tmp_path}/missing.key")


def test_the_file_is_where_the_environment_says() -> None:
    home = Path("~/.config/waystation/config.toml").expanduser()

    assert config_path({}) == home
    assert config_path({"XDG_CONFIG_HOME": "/x"}) == Path("/x/waystation/config.toml")
    assert config_path({"WAYSTATION_CONFIG": "/y.toml", "XDG_CONFIG_HOME": "/x"}) == Path("/y.toml")
