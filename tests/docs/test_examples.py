"""Every example of the documentation does what it says (SPEC I7)."""

import itertools
from pathlib import Path

import pytest

from config.settings import ROOT
from tests.conftest import ADMIN_TOKEN
from tests.docs.blocks import Block, blocks_of
from tests.docs.page import Page
from tests.process.stations import Station

pytestmark = [pytest.mark.docs, pytest.mark.timeout(300)]  # seconds, on an idle machine

PAGES = sorted(
    str(file.relative_to(ROOT))
    for file in [ROOT / "README.md", ROOT / "client" / "README.md", *ROOT.glob("docs/**/*.md")]
)
BLOCKS = [block for page in PAGES for block in blocks_of(ROOT, page) if block.is_example]

GUARDED = {"docs/how-to/keys.md", "docs/operations.md", "docs/security.md"}
"""The pages that are about a station that asks for tokens; they have its admin's in `ADMIN_KEY`."""

TYPED = ("$ ", "curl ", "export ", "python ", "script/", "waystation ")
"""How a command begins."""

A_STATION = "it starts a station; the tests have one"
SET_UP = "it sets up the client; the tests have it, and their own directory"
LISTENS = "it listens where others can reach it"
CONTAINERS = "it needs a container engine, and builds an image"

NOT_RUN = {
    ("README.md", "$ script/server "): A_STATION,
    ("client/README.md", "script/waystation "): SET_UP,
    ("docs/quick-start.md", "$ script/server"): A_STATION,
    ("docs/quick-start.md", "script/setup client"): SET_UP,
    ("docs/how-to/mcp.md", "WAYSTATION_MCP_TOKEN_FILE="): LISTENS,
    ("docs/operations.md", "export REDIS_PASSWORD="): CONTAINERS,
}
"""The examples that can't be run here, by page and how they begin, and why."""


def reason_against(block: Block) -> str | None:
    for (page, beginning), reason in NOT_RUN.items():
        if block.page == page and block.text.startswith(beginning):
            return reason
    return None


RUN = [block for block in BLOCKS if reason_against(block) is None]
_numbers = itertools.count(1)


@pytest.mark.parametrize("page", sorted({block.page for block in RUN}))
def test_whoever_follows_a_page_sees_what_it_shows(
    page: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    guarded = page in GUARDED
    station: Station = request.getfixturevalue("guarded_station" if guarded else "station")
    environ = dict.fromkeys(("ADMIN_KEY", "WAYSTATION_ADMIN_TOKEN"), ADMIN_TOKEN) if guarded else {}
    followed = Page(tmp_path, station.url, f"x{next(_numbers)}", environ)
    try:
        for block in RUN:
            if block.page == page:
                followed.follow(block)
        followed.finish()
    finally:
        followed.close()


@pytest.mark.parametrize(("page", "beginning"), NOT_RUN)
def test_an_example_that_is_not_run_is_there(page: str, beginning: str) -> None:
    found = [one for one in BLOCKS if one.page == page and one.text.startswith(beginning)]

    assert len(found) == 1


def test_what_is_to_be_typed_is_marked_as_an_example() -> None:
    unmarked = [block for page in PAGES for block in blocks_of(ROOT, page) if not block.is_example]

    assert [str(one) for one in unmarked if one.text.startswith(TYPED)] == []


def test_so_many_examples_are_run() -> None:
    assert len(RUN) >= 120, "is every page still read, and every block taken for what it is?"
    assert len(NOT_RUN) == 6, "an example that is not run is an example that goes wrong"
