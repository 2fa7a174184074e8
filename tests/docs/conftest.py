"""The real stations on which the pages are followed."""

from collections.abc import Iterator

import pytest

from tests.process.stations import Station, running

ADMIN_KEY = "the-key-of-the-admin-of-the-examples"


@pytest.fixture(scope="session")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """A station with all its processes, which asks nobody for a token."""
    with running(
        tmp_path_factory.mktemp("station") / "data", WAYSTATION_WEBHOOK_ALLOW_PRIVATE="true"
    ) as running_station:
        yield running_station


@pytest.fixture(scope="session")
def guarded_station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """One that asks everybody for a token."""
    with running(
        tmp_path_factory.mktemp("guarded") / "data",
        WAYSTATION_AUTH="required",
        WAYSTATION_ADMIN_TOKEN=ADMIN_KEY,
    ) as running_station:
        yield running_station
