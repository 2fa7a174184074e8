"""What AGENTS.md and CLAUDE.md are taken to say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.schemas.fields import one_line
from broker.directory.discovery.description import (
    MAX_ITEMS,
    MAX_TEXT,
    Description,
    UnreadableDescriptionError,
    described,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Description()),
        ("plain prose\n", Description()),
        ("# Payments service\n\nText.", Description(name="Payments service")),
        ("## Not a title\n", Description()),
        (
            "---\nname: Reviewer\nrole: reviewer\ncapabilities: [go, sql]\ntags: a, b\n---\n# X",
            Description(
                name="Reviewer", role="reviewer", capabilities=("go", "sql"), tags=("a", "b")
            ),
        ),
        (
            "# Broker\n\n**Role:** router\n- Capabilities: python, lua; redis\n",
            Description(name="Broker", role="router", capabilities=("python", "lua", "redis")),
        ),
        ("---\nrole: dev\n---\n# Heading\n", Description(name="Heading", role="dev")),
        ("```\n# in code\nRole: none\n```\n# Real\n", Description(name="Real")),
        ("---\nname: [not, text]\nrole: true\n---\n", Description()),
        ("---\r\nname: dos\r\n---\r\n", Description(name="dos")),
        ("---\n---\n# Empty matter\n", Description(name="Empty matter")),
        ("---\nnever closed\n# H\n", Description(name="H")),
        ("---\nname: 7\n---\n", Description(name="7")),
    ],
)
def test_a_file_is_read_for_what_it_says_of_its_agent(text: str, expected: Description) -> None:
    assert described(text) == expected


@pytest.mark.parametrize(
    "matter",
    [
        "name: [",
        "name: a\x01b",
        "- a\n- b",
        "a: &x [1]\nname: *x",
        "name: !!python/object/apply:os.system ['true']",
        "name: " + "[" * 5000,
        "name: 2026-99-99T99:99:99Z",
    ],
)
def test_hostile_front_matter_is_refused(matter: str) -> None:
    with pytest.raises(UnreadableDescriptionError):
        described(f"---\n{matter}\n---\n")


@given(st.text(max_size=2000))
def test_whatever_a_file_holds_what_it_says_is_short_and_plain(text: str) -> None:
    try:
        said = described(text)
    except UnreadableDescriptionError:
        return

    texts = [one for one in (said.name, said.role, *said.capabilities, *said.tags) if one]
    for one in texts:
        assert one_line(one, least=1, most=MAX_TEXT) == one
    assert len(said.capabilities) <= MAX_ITEMS
