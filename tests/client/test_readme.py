"""The examples of the client's own README do what they say."""

from pathlib import Path

import pytest

from config.settings import ROOT
from tests.client.conftest import MakeName
from tests.docs.blocks import blocks_of
from tests.docs.page import Page
from tests.process.stations import Station

pytestmark = pytest.mark.client

BLOCKS = [one for one in blocks_of(ROOT, "client/README.md") if one.is_example]


def test_whoever_follows_the_readme_sees_what_it_shows(
    station: Station, named: MakeName, tmp_path: Path
) -> None:
    page = Page(tmp_path, station.url, named("x").replace("-", ""), {})
    try:
        for block in BLOCKS:
            page.follow(block)
        page.finish()
    finally:
        page.close()


def test_so_many_examples_are_followed() -> None:
    assert len(BLOCKS) == 7
