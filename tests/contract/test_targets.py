"""Whom a message reaches, told through each face: groups, selectors, strategies (SPEC R1, R2)."""

import dataclasses
from typing import Any

import pytest

from tests.contract.faces import Document, Face, Refused

pytestmark = pytest.mark.contract

SELECTOR = {"all_of": ["tag:review", {"any_of": ["cap:go", "label:lead"]}], "not": ["dave"]}
SHARED = ("user", "broadcast")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Team:
    """Agents of one test, who share their station with those of others.

    Their names and all that they are called end in the test's own word; here they go without it.
    """

    face: Face
    own: str

    def register(self, agent: str, label: str | None = None, **lists: list[str]) -> None:
        profile: dict[str, Any] = {name: self.ours(words) for name, words in lists.items()}
        if label is not None:
            profile["label"] = self.ours(label)
        self.face.register(self.ours(agent), **profile)

    def send(self, to: object, **fields: Any) -> Document:
        return self.face.send(self.ours("alice"), self.ours(to), **fields)

    def fetch(self, agent: str) -> Document:
        (message,) = self.face.fetch(self.ours(agent))
        return message

    def receipts(self, sent: Document) -> dict[str, Document]:
        found = self.face.get(f"/messages/{sent['id']}/receipts")["receipts"]
        return {
            name.removesuffix(self.own): one
            for one in found
            if (name := one["agent_id"]).endswith(self.own) or name in SHARED
        }

    def reached(self, sent: Document) -> set[str]:
        """Whom of the team, and of those whom all share, a message reached."""
        return {name for name, one in self.receipts(sent).items() if one["routed_at"] is not None}

    def refused(self, to: object, **fields: Any) -> Document:
        """The problem that a message is refused with; its fields begin at the message."""
        with pytest.raises(Refused) as refused:
            self.send(to, **fields)
        for one in refused.value.problem["errors"]:
            one["field"] = one["field"].removeprefix("message.")
        return refused.value.problem

    def ours(self, document: Any) -> Any:
        """Targets and names with the test's word behind each."""
        match document:
            case dict():
                return {key: self.ours(parts) for key, parts in document.items()}
            case list():
                return [self.ours(part) for part in document]
            case _:
                return document if document in SHARED else f"{document}{self.own}"


@pytest.fixture
def team(face: Face, namespace: str) -> Team:
    """Five agents: all but alice review, carol and dave know go, erin leads."""
    team = Team(face=face, own=f"-{namespace}")
    team.register("alice", tags=["write"])
    team.register("bob", tags=["review"])
    team.register("carol", tags=["review"], capabilities=["go"])
    team.register("dave", tags=["review"], capabilities=["go"])
    team.register("erin", label="lead", tags=["review", "write"])
    return team


@pytest.mark.parametrize(
    ("to", "whom"),
    [
        ("bob", {"bob"}),
        (["bob", "carol", "bob"], {"bob", "carol"}),
        ("tag:review", {"bob", "carol", "dave", "erin"}),
        ("tag:write", {"erin"}),
        ("cap:go", {"carol", "dave"}),
        ("label:lead", {"erin"}),
        ("user", {"user"}),
        ("broadcast", {"bob", "carol", "dave", "erin"}),
        (["cap:go", "erin", "alice", "user"], {"carol", "dave", "erin", "alice", "user"}),
        (SELECTOR, {"carol", "erin"}),
        ({"not": ["tag:review"], "any_of": ["user", "bob"]}, {"user"}),
        ([{"not": ["cap:go"]}, "dave"], {"bob", "dave", "erin"}),
    ],
)
def test_a_target_reaches_all_that_it_means(team: Team, to: object, whom: set[str]) -> None:
    assert team.reached(team.send(to)) == whom


def test_each_recipient_finishes_its_own_copy(team: Team) -> None:
    sent = team.send("cap:go")

    team.face.ack(team.ours("carol"), team.fetch("carol"))

    statuses = {name: one["status"] for name, one in team.receipts(sent).items()}
    assert statuses == {"carol": "acknowledged", "dave": "queued"}


@pytest.mark.parametrize("to", ["tag:review", SELECTOR, ["bob", SELECTOR, "tag:review"]])
def test_targets_are_shown_as_they_were_sent(team: Team, to: object) -> None:
    sent = team.send(to)

    assert team.fetch("erin")["to"] == team.ours(to)
    assert team.face.get(f"/messages/{sent['id']}")["to"] == team.ours(to)


@pytest.mark.parametrize("strategy", ["round_robin", "least_loaded", "random", "sticky"])
def test_with_a_strategy_one_of_them_gets_it(team: Team, strategy: str) -> None:
    sent = team.send("cap:go", strategy=strategy)

    (picked,) = team.reached(sent)
    (other,) = {"carol", "dave"} - {picked}
    assert team.fetch(picked)["id"] == sent["id"]
    assert team.face.nothing_for(team.ours(other))


@pytest.mark.parametrize(
    ("to", "field"),
    [
        ("pool:x", "to"),
        (["bob", "pool:x"], "to.1"),
        ({"any_of": ["bob", "pool:x"]}, "to.any_of.1"),
        (["bob", {"all_of": [{"not": []}]}], "to.1.all_of.0.not"),
        ({"some_of": ["bob"]}, "to.some_of"),
    ],
)
def test_what_is_no_target_is_refused_with_its_place(team: Team, to: object, field: str) -> None:
    problem = team.refused(to)

    assert problem["code"] == "invalid_fields"
    assert [one["field"] for one in problem["errors"]] == [field]


def test_an_unknown_prefix_is_told_the_known_ones(team: Team) -> None:
    (problem,) = team.refused("pool:x")["errors"]

    for prefix in ("label:", "tag:", "cap:", "channel:", "team:", "orchestrator:"):
        assert prefix in problem["message"]


def test_a_group_of_nobody_is_refused_with_near_names(team: Team) -> None:
    problem = team.refused(["bob", "tag:reviews"])

    assert (problem["status"], problem["code"]) == (404, "no_recipients")
    (error,) = problem["errors"]
    assert error["field"] == "to.1"
    assert team.ours("tag:review") in error["message"]


def test_an_unknown_name_in_a_selector_is_refused_with_near_names(team: Team) -> None:
    problem = team.refused({"any_of": ["tag:review"], "not": ["davee"]})

    assert (problem["status"], problem["code"]) == (404, "unknown_agent")
    assert team.ours("dave") in problem["detail"]


def test_an_unknown_strategy_is_refused_with_the_known_ones(team: Team) -> None:
    (error,) = team.refused("cap:go", strategy="best")["errors"]

    assert error["field"] == "strategy"
    assert "round_robin, least_loaded, random, sticky" in error["message"]


def test_what_is_offered_to_all_is_not_given_to_one(team: Team) -> None:
    problem = team.refused("cap:go", strategy="random", claimable=True)

    assert problem["code"] == "invalid_fields"
    assert [one["field"] for one in problem["errors"]] == ["strategy"]


def test_a_thousand_recipients_have_a_receipt_each(team: Team) -> None:
    names = [f"agent-{number}" for number in range(1000)]

    sent = team.send(names, hold_for_unknown=True)

    assert team.reached(sent) == set(names)
