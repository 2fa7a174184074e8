"""The client's token reaches a station that asks for one, wherever it was said."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from broker.security.api_keys import Issued, NewKey
from tests.contract.websocket_server import Server
from waystation import Agent, Station
from waystation.errors import (
    ForbiddenError,
    MessageNotFoundError,
    UnauthenticatedError,
    UnknownAgentError,
)

pytestmark = pytest.mark.contract

Issue = Callable[..., Issued]


@pytest.fixture(autouse=True)
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, guarded_server: Server) -> Path:
    """The client's file, in an environment that says nothing but where the station is."""
    for name in ("TOKEN", "TOKEN_FILE", "AGENT", "PROFILE"):
        monkeypatch.delenv(f"WAYSTATION_{name}", raising=False)
    monkeypatch.setenv("WAYSTATION_URL", f"http://127.0.0.1:{guarded_server.port}")
    path = tmp_path / "config.toml"
    monkeypatch.setenv("WAYSTATION_CONFIG", str(path))
    return path


@pytest.fixture
def issue(guarded_server: Server) -> Issue:
    def issue(*scopes: str) -> Issued:
        wanted = NewKey(name="of a test", scopes=scopes)
        return guarded_server.broker.identity.keys.create(wanted, created_by="test")

    return issue


def said_as_argument(token: str, *_: object) -> Station:
    return Station(token=token)


def said_in_the_environment(token: str, _config: Path, monkeypatch: pytest.MonkeyPatch) -> Station:
    monkeypatch.setenv("WAYSTATION_TOKEN", token)
    return Station()


def said_in_a_file_of_the_environment(
    token: str, config: Path, monkeypatch: pytest.MonkeyPatch
) -> Station:
    file = config.with_name("some.key")
    file.write_text(f"{token}\n")
    monkeypatch.setenv("WAYSTATION_TOKEN_FILE", str(file))
    return Station()


def said_in_a_profile(token: str, config: Path, *_: object) -> Station:
    config.write_text(
        f'[profiles.guarded]\nurl = "{os.environ["WAYSTATION_URL"]}"\ntoken = "{token}"\n'
    )
    return Station(profile="guarded")


def said_in_a_file_of_a_profile(token: str, config: Path, *_: object) -> Station:
    file = config.with_name("some.key")
    file.write_text(token)
    config.write_text(
        f'[profiles.default]\nurl = "{os.environ["WAYSTATION_URL"]}"\ntoken_file = "{file}"\n'
    )
    return Station()


@pytest.mark.parametrize(
    "open_station",
    [
        said_as_argument,
        said_in_the_environment,
        said_in_a_file_of_the_environment,
        said_in_a_profile,
        said_in_a_file_of_a_profile,
    ],
)
def test_a_token_is_found_where_it_is_said(
    open_station: Callable[..., Station],
    issue: Issue,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    issued = issue("agent:bob")

    with open_station(issued.token, config, monkeypatch) as station:
        assert station.me().scopes == ["agent:bob"]


@pytest.fixture
def nobody() -> Iterator[Station]:
    with Station() as nobody:
        yield nobody


def test_without_a_token_it_is_unauthenticated(nobody: Station) -> None:
    with pytest.raises(UnauthenticatedError) as refused:
        nobody.agents.list()

    assert refused.value.status == 401
    assert nobody.alive().status == "alive"


def test_a_token_that_does_not_hold_is_unauthenticated_and_not_shown() -> None:
    token = "wsk_01K6ZQ3V9M8T4R2E7YXWBNDC05_" + "x" * 43

    with Station(token=token) as station, pytest.raises(UnauthenticatedError) as refused:
        station.me()

    assert token not in str(refused.value)


def test_what_the_token_does_not_allow_is_forbidden(issue: Issue) -> None:
    token = issue("agent:carol").token

    with Agent("carol", token=token) as carol:
        with pytest.raises(ForbiddenError):
            carol.station.messages.send("dave", "carol", "in another's name")
        with pytest.raises(ForbiddenError):
            carol.station.health.stats()
        with pytest.raises(ForbiddenError):
            carol.station.keys.list()
        with pytest.raises(UnknownAgentError):
            carol.send("nobody-of-tokens", "hello?")


def test_a_watch_without_a_token_is_unauthenticated(nobody: Station) -> None:
    with nobody.events.watch() as watch, pytest.raises(UnauthenticatedError):
        next(watch)


def test_what_is_anothers_is_not_there(issue: Issue) -> None:
    with (
        Agent("erin", token=issue("agent:erin").token) as erin,
        Agent("frank", token=issue("agent:frank").token) as frank,
    ):
        sent = erin.send("erin", "a note to myself")

        with pytest.raises(MessageNotFoundError):
            frank.station.messages.get(sent.id)
        assert erin.station.messages.get(sent.id).from_ == "erin"
