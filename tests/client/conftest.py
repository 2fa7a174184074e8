"""One real station for the tests of the client, and agents that no other test has."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from tests.client.command_line import CommandLine
from tests.conftest import ADMIN_TOKEN
from tests.process.stations import Station
from waystation import Station as Caller

MakeName = Callable[[str], str]


@pytest.fixture(scope="session")
def station(whole_station: Station) -> Station:
    """A station with all its processes, which asks nobody for a token."""
    return whole_station


@pytest.fixture(scope="session")
def guarded(guarded_station: Station) -> Station:
    """A station with all its processes, which asks everybody for a token."""
    return guarded_station


@pytest.fixture
def admin(guarded: Station) -> Iterator[Caller]:
    """The guarded station, as its admin has it."""
    with Caller(guarded.url, token=ADMIN_TOKEN) as caller:
        yield caller


@pytest.fixture(autouse=True)
def bare_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nobody's configuration but the test's own."""
    for name in ("URL", "TOKEN", "TOKEN_FILE", "AGENT", "PROFILE"):
        monkeypatch.delenv(f"WAYSTATION_{name}", raising=False)
    monkeypatch.setenv("WAYSTATION_CONFIG", str(tmp_path_factory.mktemp("config") / "config.toml"))


_numbers = itertools.count(1)


@pytest.fixture
def named() -> MakeName:
    """Make an agent's name that no other test has."""
    number = next(_numbers)
    return lambda name: f"{name}-{number}"


@pytest.fixture
def waystation(station: Station) -> CommandLine:
    """The command line at the station."""
    return CommandLine(url=station.url)


@pytest.fixture
def caller(station: Station) -> Iterator[Caller]:
    """The calls of the station, for whoever makes them."""
    with Caller(station.url) as caller:
        yield caller


@pytest.fixture
def pair(caller: Caller, named: MakeName) -> tuple[str, str]:
    """Two registered agents."""
    alice, bob = named("alice"), named("bob")
    caller.agents.register(alice)
    caller.agents.register(bob)
    return alice, bob
