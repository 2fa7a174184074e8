"""The engine's decisions, without any Redis."""

from collections.abc import Sequence

import msgspec

from broker.kernel.ids import AgentId, MessageId
from broker.messaging.message import Envelope, Strategy
from broker.routing.engine import RoutingContext, decide

ALICE, BOB, CAROL = AgentId("alice"), AgentId("bob"), AgentId("carol")


def envelope(*to: str, claimable: bool = False, strategy: Strategy | None = None) -> Envelope:
    return Envelope(
        id=MessageId("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        sender=ALICE,
        to=to,
        created_at=1,
        expires_at=2,
        claimable=claimable,
        strategy=strategy,
    )


def nobody_asked(_: Envelope) -> list[AgentId]:
    raise AssertionError("a message that says all is decided without asking")


def nobody_picks(_: Envelope, __: Sequence[AgentId]) -> AgentId:
    raise AssertionError("only a strategy picks")


SILENT = RoutingContext(audience=nobody_asked, pick=nobody_picks)


def test_a_message_to_named_agents_goes_to_them_and_asks_nobody_else() -> None:
    decision = decide(envelope("bob", "carol"), SILENT)

    assert decision.recipients == (BOB, CAROL)
    assert decision.promised == {BOB, CAROL}
    assert decision.is_literal


def test_a_message_to_a_group_goes_to_its_audience_and_only_the_named_were_promised_it() -> None:
    context = RoutingContext(audience=lambda _: [BOB, CAROL], pick=nobody_picks)

    decision = decide(envelope("bob", "tag:x"), context)

    assert decision.recipients == (BOB, CAROL)
    assert decision.promised == {BOB}
    assert not decision.is_to_one


def test_a_strategy_picks_one_of_the_audience_and_promised_it_to_nobody() -> None:
    context = RoutingContext(audience=lambda _: [BOB, CAROL], pick=lambda _, pool: pool[-1])

    decision = decide(envelope("bob", "carol", strategy=Strategy.RANDOM), context)

    assert decision.recipients == (CAROL,)
    assert not decision.promised
    assert not decision.is_to_one


def test_without_an_audience_nothing_is_picked() -> None:
    context = RoutingContext(audience=lambda _: [], pick=nobody_picks)

    assert decide(envelope("tag:x", strategy=Strategy.RANDOM), context).recipients == ()


def test_a_claimable_message_is_promised_to_nobody_and_its_audience_is_noted() -> None:
    context = RoutingContext(audience=lambda message: message.named, pick=nobody_picks)

    decision = decide(envelope("bob", claimable=True), context)

    assert decision.recipients == (BOB,)
    assert not decision.promised
    assert not decision.is_to_one


def test_a_message_that_broadcasts_names_nobody() -> None:
    message = msgspec.structs.replace(envelope("broadcast", "tag:x", "bob"), claimable=False)

    assert message.named == (BOB,)
