"""Whom targets reach: routed for real, held against a plain set computation."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.kernel.errors import UnknownAgentError
from broker.kernel.ids import AgentId
from broker.messaging.queue import Accepted
from broker.routing.reach import NoRecipientsError
from tests.redis.stage import Stage

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank")
WORDS = ("x", "y", "z")
Document = Any

profiles = st.fixed_dictionaries(
    {
        "label": st.none() | st.sampled_from(WORDS),
        "tags": st.sets(st.sampled_from(WORDS)).map(lambda words: tuple(sorted(words))),
        "capabilities": st.sets(st.sampled_from(WORDS)).map(lambda words: tuple(sorted(words))),
    }
)
registers = st.dictionaries(st.sampled_from(NAMES), profiles, min_size=2)

leaves = st.one_of(
    st.sampled_from((*NAMES, "user")),
    st.builds("{}:{}".format, st.sampled_from(("label", "tag", "cap")), st.sampled_from(WORDS)),
    st.just("broadcast"),
)


def selectors_of(parts: st.SearchStrategy[Document]) -> st.SearchStrategy[Document]:
    some = st.lists(parts, min_size=1, max_size=3)
    return st.dictionaries(st.sampled_from(("all_of", "any_of", "not")), some, min_size=1)


selectors = selectors_of(st.recursive(leaves, selectors_of, max_leaves=6))
targets = st.lists(leaves | selectors, min_size=1, max_size=3)


class Plain:
    """The same computed with nothing but sets, from the words of the contract."""

    def __init__(self, register: dict[str, dict[str, Any]], sender: str) -> None:
        self.register = register
        self.sender = sender
        self.everyone = set(register)

    def reached(self, to: Iterable[Document]) -> set[str]:
        reached: set[str] = set()
        for target in to:
            is_name = isinstance(target, str) and ":" not in target and target != "broadcast"
            reached |= {target} if is_name else self.meant(target) - {self.sender}
        return reached

    def meant(self, target: Document) -> set[str]:
        if isinstance(target, dict):
            return self.selected(target)
        if target == "broadcast":
            return self.everyone
        kind, colon, word = target.partition(":")
        if not colon:
            return {target} & (self.everyone | {"user", "system"})
        field = {"label": "label", "tag": "tags", "cap": "capabilities"}[kind]
        return {name for name, said in self.register.items() if word in (said[field] or ())}

    def selected(self, selector: dict[str, list[Document]]) -> set[str]:
        found = None
        for part in selector.get("all_of", []):
            found = self.meant(part) if found is None else found & self.meant(part)
        if "any_of" in selector:
            some = set().union(*map(self.meant, selector["any_of"]))
            found = some if found is None else found & some
        found = self.everyone if found is None else found
        return found - set().union(*map(self.meant, selector.get("not", [])))


def register(stage: Stage, wanted: dict[str, dict[str, Any]]) -> None:
    """Make the register this one, whatever an example before has left."""
    for name in NAMES:
        if name in wanted:
            stage.broker.agents.register(AgentId(name), wanted[name])
        elif AgentId(name) in stage.broker.agents._store.names():
            stage.broker.agents.delete(AgentId(name))


def texts(to: Iterable[Document]) -> tuple[str, ...]:
    return tuple(target if isinstance(target, str) else json.dumps(target) for target in to)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(registered=registers, to=targets, sender=st.sampled_from(NAMES))
def test_any_targets_reach_whom_a_plain_set_computation_gives(
    stage: Stage, registered: dict[str, dict[str, Any]], to: list[Document], sender: str
) -> None:
    register(stage, registered)
    expected = Plain(registered, sender).reached(to)

    (result,) = stage.broker.queue.send_many([stage.draft(texts(to), sender)])
    stage.route()

    if isinstance(result, Accepted):
        receipts = stage.broker.archive.receipts(result.id)
        reached = {one.agent_id for one in receipts if one.routed_at is not None}
        assert reached == expected
    else:
        plain = Plain(registered, sender)
        unknown = {name for name in NAMES if f'"{name}"' in json.dumps(to)} - set(registered)
        empty = [one for one in to if one != "broadcast" and not plain.reached([one])]
        assert isinstance(result, UnknownAgentError | NoRecipientsError)
        assert unknown if isinstance(result, UnknownAgentError) else empty


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(registered=registers, to=targets, changed=registers, sender=st.sampled_from(NAMES))
def test_whom_a_message_reaches_is_decided_when_it_is_routed(
    stage: Stage,
    registered: dict[str, dict[str, Any]],
    to: list[Document],
    changed: dict[str, dict[str, Any]],
    sender: str,
) -> None:
    register(stage, registered)
    (result,) = stage.broker.queue.send_many([stage.draft(texts(to), sender)])
    register(stage, changed)

    stage.route()

    if isinstance(result, Accepted):
        receipts = stage.broker.archive.receipts(result.id)
        reached = {one.agent_id for one in receipts if one.routed_at is not None}
        named = {one for one in to if isinstance(one, str)} & {*NAMES, "user"}
        assert reached == Plain(changed, sender).reached(to) | named


@pytest.mark.parametrize("count", [1, 2, 40])
def test_a_recipient_that_is_meant_several_times_has_the_message_once(
    stage: Stage, count: int
) -> None:
    stage.broker.agents.register(AgentId("bob"), {"tags": ("x",), "label": "x"})

    identifier = stage.deliver(("tag:x", "label:x", *["bob"] * count, "broadcast"))

    assert stage.inbox() == [identifier]
    assert [one.agent_id for one in stage.broker.archive.receipts(identifier)] == ["bob"]
