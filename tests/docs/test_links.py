"""Every link of the documentation leads to a file, and to a heading of it."""

import itertools
import re
from functools import cache
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from config.settings import ROOT

pytestmark = pytest.mark.docs

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/**/*.md"))]
_NOT_IN_ANCHORS = re.compile(r"[^\w\- ]")


@cache
def tokens_of(page: Path) -> list[Token]:
    tokens = MarkdownIt("commonmark").enable("table").parse(page.read_text())
    return [inner for token in tokens for inner in (token, *(token.children or ()))]


def links_of(page: Path) -> list[str]:
    targets = [str(one.attrs["href"]) for one in tokens_of(page) if one.type == "link_open"]
    return [target for target in targets if not target.startswith(("http:", "https:"))]


@cache
def anchors_of(page: Path) -> set[str]:
    """The headings as GitHub names them."""
    tokens = tokens_of(page)
    headings = [
        following.content
        for token, following in itertools.pairwise(tokens)
        if token.type == "heading_open"
    ]
    return {_NOT_IN_ANCHORS.sub("", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors_of(target), f"{page.name} links to {link}"


def test_every_page_is_linked_from_another() -> None:
    linked = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in links_of(page)
    }
    of_decisions = ROOT / "docs" / "adr"

    lonely = [page for page in PAGES if page not in linked and page.parent != of_decisions]
    assert [page.name for page in lonely if page.name != "README.md"] == []
