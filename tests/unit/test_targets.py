"""What `to` may name: the parser of targets."""

import json
from typing import Any

import pytest

from broker.kernel.errors import FieldProblem, InvalidFieldsError
from broker.messaging.message import MAX_LEAVES
from broker.routing.targets import (
    MAX_DEPTH,
    Everyone,
    Group,
    GroupKind,
    Named,
    Selector,
    parse,
)

pytestmark = pytest.mark.unit


def problems_of(*to: str) -> tuple[FieldProblem, ...]:
    with pytest.raises(InvalidFieldsError) as refused:
        parse(to)
    return refused.value.problems


def nested(depth: int) -> dict[str, Any]:
    return {"any_of": ["bob" if depth == 1 else nested(depth - 1)]}


def test_agents_are_named_one_by_one_each_once_in_order() -> None:
    address = parse(["carol", "bob", "carol"])

    assert address.to == address.named == ("carol", "bob")
    assert not address.has_groups


@pytest.mark.parametrize("kind", GroupKind)
def test_a_group_is_its_kind_and_all_behind_the_first_colon(kind: GroupKind) -> None:
    address = parse([f"{kind.value}:x y:z"])

    assert address.groups == (Group(kind=kind, name="x y:z"),)
    assert address.to == (f"{kind.value}:x y:z",)
    assert address.named == ()


def test_names_and_groups_may_stand_together() -> None:
    address = parse(["bob", "broadcast", "tag:x", "user"])

    assert address.named == ("bob", "user")
    assert address.groups == (Everyone(), Group(kind=GroupKind.TAG, name="x"))


def test_a_selector_is_its_members_nested_as_they_were() -> None:
    written = {"all_of": ["tag:x", {"any_of": ["bob", "broadcast"]}], "not": ["label:y"]}

    (selector,) = parse([json.dumps(written)]).groups

    assert selector == Selector(
        all_of=(
            Group(kind=GroupKind.TAG, name="x"),
            Selector(any_of=(Named(agent=parse(["bob"]).named[0]), Everyone())),
        ),
        none_of=(Group(kind=GroupKind.LABEL, name="y"),),
    )


def test_a_selector_is_carried_as_the_same_text_however_it_was_written() -> None:
    texts = ['{ "not": ["tag:é"], "any_of": ["bob"] }', '{"any_of":["bob"],"not":["tag:\\u00e9"]}']

    assert parse(texts).to == ('{"any_of":["bob"],"not":["tag:é"]}',)


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("foo:x", "unknown prefix 'foo:'"),
        ("bob smith", "no agent id"),
        ("-bob", "no agent id"),
        ("bob\n", "no agent id"),
        ("", "no agent id"),
        ("b" * 129, "no agent id"),
        ("auto", "reserved"),
        ("tag:", "needs a name"),
        ("tag:a\nb", "needs a name"),
        ("tag:" + "x" * 253, "256 characters"),
        ("{", "no selector in JSON"),
        ("{" * 10_000, "no selector in JSON"),
    ],
)
def test_what_is_no_target_is_refused(to: str, says: str) -> None:
    (problem,) = problems_of(to)

    assert problem.field == "to"
    assert says in problem.message


def test_an_unknown_prefix_is_told_the_known_ones() -> None:
    (problem,) = problems_of("foo:x")

    for known in ("label:", "tag:", "cap:", "channel:", "team:", "orchestrator:", "broadcast"):
        assert known in problem.message


def test_nothing_is_no_target() -> None:
    assert [problem.field for problem in problems_of()] == ["to"]


def test_every_problem_is_named_at_once_with_its_path() -> None:
    selector = {"any_of": ["bob", "foo:x", 3, {"not": [], "nor": 1}], "all_of": "tag:x"}

    found = problems_of("bob", "z z", json.dumps(selector), "{}")

    assert {problem.field for problem in found} == {
        "to.1",
        "to.2.any_of.1",
        "to.2.any_of.2",
        "to.2.any_of.3.nor",
        "to.2.any_of.3.not",
        "to.2.all_of",
        "to.3",
    }


def test_selectors_are_bounded_in_depth() -> None:
    parse([json.dumps(nested(MAX_DEPTH))])

    (problem,) = problems_of(json.dumps(nested(MAX_DEPTH + 1)))

    assert problem.field == "to" + ".any_of.0" * MAX_DEPTH
    assert "nested 8 deep" in problem.message


def test_the_selectors_of_a_message_are_bounded_in_size_together() -> None:
    half = [f"tag:{number}" for number in range(MAX_LEAVES // 2)]
    parse([json.dumps({"any_of": half}), json.dumps({"all_of": half})])

    (problem,) = problems_of(json.dumps({"any_of": half}), json.dumps({"all_of": [*half, "bob"]}))

    assert problem.field == "to.1.all_of.50"
    assert "100 targets" in problem.message
