"""The tree of agents that the command line draws."""

from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waystation.answers import AgentProfile
from waystation.cli.agents import branches

pytestmark = pytest.mark.unit

_SOMEBODY = AgentProfile(
    capabilities=[],
    cwd=None,
    epoch=1,
    id="somebody",
    kind="provider",
    label=None,
    last_seen=None,
    machine=None,
    meta={},
    name=None,
    on_full=None,
    operating_mode=None,
    parent=None,
    queue_max_depth=None,
    ready=True,
    registered_at=datetime(2026, 11, 21, tzinfo=UTC),
    reported_status=None,
    status="online",
    tags=[],
    transport="pull",
)


def family(*parents: tuple[str, str | None]) -> list[AgentProfile]:
    return [msgspec.structs.replace(_SOMEBODY, id=id_, parent=parent) for id_, parent in parents]


def drawn(agents: Iterable[AgentProfile]) -> list[tuple[int, str]]:
    return [(depth, agent.id) for depth, agent in branches(agents)]


def test_children_stand_below_their_parents() -> None:
    agents = family(("c", "a"), ("a", None), ("d", "c"), ("b", "a"), ("z", None))

    assert drawn(agents) == [(0, "a"), (1, "c"), (2, "d"), (1, "b"), (0, "z")]


def test_who_has_an_unknown_parent_stands_at_the_top() -> None:
    assert drawn(family(("a", "gone"))) == [(0, "a")]


def test_a_circle_is_cut_open() -> None:
    assert drawn(family(("a", "b"), ("b", "a"), ("self", "self"))) == [
        (0, "a"),
        (1, "b"),
        (0, "self"),
    ]


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("abcdefg") | st.none()))
def test_everybody_is_drawn_once(parents: dict[str, str | None]) -> None:
    assert sorted(id_ for _, id_ in drawn(family(*parents.items()))) == sorted(parents)
