"""Whom a message reaches: targets and the engine, without any Redis."""

import msgspec
import pytest

from broker.kernel.errors import InvalidFieldsError
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.message import Envelope
from broker.routing.engine import RoutingContext, decide
from broker.routing.targets import is_broadcast, named_recipients

ALICE, BOB, CAROL = AgentId("alice"), AgentId("bob"), AgentId("carol")


def envelope(*to: str) -> Envelope:
    return Envelope(
        id=MessageId("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        sender=ALICE,
        to=to,
        created_at=1,
        expires_at=2,
    )


def nobody_asked() -> list[AgentId]:
    raise AssertionError("only a broadcast asks who is there")


def test_agents_are_named_one_by_one_each_once_in_order() -> None:
    assert named_recipients(["carol", "bob", "carol"]) == (CAROL, BOB)


def test_a_broadcast_names_nobody() -> None:
    assert named_recipients(["broadcast"]) == ()
    assert is_broadcast(("broadcast",))
    assert not is_broadcast(("bob",))


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ([], "must name"),
        (["broadcast", "bob"], "nobody else"),
        (["tag:x"], "unknown prefix 'tag:'"),
        (["bob smith"], "no agent id"),
        (["-bob"], "no agent id"),
        (["bob\n"], "no agent id"),
        ([""], "no agent id"),
        (["b" * 129], "no agent id"),
        (["bob", "x:y", "z z"], "unknown prefix 'x:'"),
    ],
)
def test_what_names_no_agent_is_refused_with_the_known_forms(to: list[str], says: str) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        named_recipients(to)

    assert says in refused.value.problems[0].message
    assert {problem.field for problem in refused.value.problems} == {"to"}


def test_a_message_to_named_agents_goes_to_them_and_asks_nobody_else() -> None:
    decision = decide(envelope("bob", "carol"), RoutingContext(everyone=nobody_asked))

    assert decision.recipients == (BOB, CAROL)
    assert decision.promised == {BOB, CAROL}
    assert decision.is_literal


def test_a_claimable_message_is_promised_to_nobody_and_its_audience_is_noted() -> None:
    offered = msgspec.structs.replace(envelope("bob"), claimable=True)

    decision = decide(offered, RoutingContext(everyone=nobody_asked))

    assert decision.recipients == (BOB,)
    assert not decision.promised
    assert not decision.is_to_one


def test_a_broadcast_goes_to_everyone_but_its_sender() -> None:
    context = RoutingContext(everyone=lambda: [ALICE, BOB, CAROL])

    decision = decide(envelope("broadcast"), context)

    assert decision.recipients == (BOB, CAROL)
    assert not decision.promised
