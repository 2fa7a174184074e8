"""The real station on which the pages are followed."""

import pytest

from tests.process.stations import Station


@pytest.fixture(scope="session")
def station(whole_station: Station) -> Station:
    """A station with all its processes, which asks nobody for a token."""
    return whole_station
