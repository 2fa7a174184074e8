"""Messages to groups that reach nobody: refused, or undeliverable where that is seen later."""

import json

import pytest

from broker.kernel.errors import BrokerError, ConflictError, NotWaitingError, UnknownAgentError
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.message import Envelope, Strategy
from broker.messaging.receipts import Listing
from broker.routing.audience import Memberships
from broker.routing.reach import NoRecipientsError, Reach
from tests.redis.conftest import MakeStage
from tests.redis.stage import Stage

ALICE, BOB, CAROL = AgentId("alice"), AgentId("bob"), AgentId("carol")


@pytest.fixture
def tagged(stage: Stage) -> Stage:
    """A stage on which bob and carol have the tag `review`, and alice `write`."""
    for agent, tag in ((ALICE, "write"), (BOB, "review"), (CAROL, "review")):
        stage.broker.agents.register(agent, {"tags": (tag,)})
    return stage


def envelope(*to: str, sender: AgentId = ALICE) -> Envelope:
    return Envelope(
        id=MessageId("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        sender=sender,
        to=to,
        created_at=1,
        expires_at=2,
    )


def untag(stage: Stage) -> None:
    for agent in (BOB, CAROL):
        stage.broker.agents.patch(agent, {"tags": ()})


def undeliverable(stage: Stage) -> MessageId:
    """A message whose recipients went before it was routed."""
    identifier = stage.send("tag:review")
    untag(stage)
    stage.route()
    return identifier


def found(stage: Stage, recipient: AgentId) -> list[MessageId]:
    page, _ = stage.broker.archive.find(Listing(recipient=recipient), limit=100)
    return [one.message.id for one in page]


# --- acceptance -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "to",
    ["label:x", "tag:x", "cap:x", "channel:x", "team:x", "orchestrator:x", '{"not":["broadcast"]}'],
)
def test_a_target_that_matches_nobody_is_refused(tagged: Stage, to: str) -> None:
    with pytest.raises(NoRecipientsError) as refused:
        tagged.send(to)

    assert [problem.field for problem in refused.value.problems] == ["to"]


def test_each_target_that_matches_nobody_is_named(tagged: Stage) -> None:
    nobody = json.dumps({"all_of": ["tag:review", "tag:write"]})

    with pytest.raises(NoRecipientsError) as refused:
        tagged.send(("bob", "tag:revew", "tag:review", nobody))

    problems = {problem.field: problem.message for problem in refused.value.problems}
    assert list(problems) == ["to.1", "to.3"]
    assert "Did you mean tag:review?" in problems["to.1"]
    assert "selector" in problems["to.3"]


def test_a_group_of_the_sender_alone_is_nobody(tagged: Stage) -> None:
    with pytest.raises(NoRecipientsError):
        tagged.send("tag:write")


def test_a_broadcast_is_accepted_even_if_nobody_is_there(stage: Stage) -> None:
    stage.broker.agents.delete(BOB)

    identifier = stage.deliver("broadcast")

    assert stage.broker.archive.get(identifier).state is DeliveryState.UNDELIVERABLE


def test_an_unknown_agent_beside_a_group_is_refused(tagged: Stage) -> None:
    with pytest.raises(UnknownAgentError) as refused:
        tagged.send(("tag:review", "bobb"))

    assert refused.value.near == (BOB,)


def test_an_unknown_agent_within_a_selector_is_refused(tagged: Stage) -> None:
    selector = json.dumps({"any_of": ["tag:review"], "not": ["bobb"]})

    with pytest.raises(UnknownAgentError) as refused:
        tagged.send(selector)

    assert refused.value.near == (BOB,)
    tagged.send(selector, hold_for_unknown=True)


def test_who_has_just_joined_a_group_is_reached_at_once(tagged: Stage) -> None:
    tagged.send("tag:review")
    tagged.broker.agents.patch(BOB, {"tags": ("new",)})

    identifier = tagged.deliver("tag:new")

    assert tagged.inbox()[-1] == identifier


def test_a_repeated_key_is_answered_though_the_group_is_empty_now(tagged: Stage) -> None:
    first = tagged.broker.queue.send(tagged.draft("tag:review", idempotency_key="k"))
    untag(tagged)
    tagged.broker.router._sources.rolls.current()

    again = tagged.broker.queue.send(tagged.draft("tag:review", idempotency_key="k"))

    assert (again.id, again.created) == (first.id, False)
    with pytest.raises(NoRecipientsError):
        tagged.send("tag:review", idempotency_key="another")


def test_a_channel_may_refuse_who_posts_to_it(tagged: Stage) -> None:
    def refusal(sender: AgentId, channel: str) -> BrokerError | None:
        return ConflictError(f"{sender} may not post to {channel}") if sender == ALICE else None

    memberships = Memberships(channel={"ops": (BOB, ALICE)}.get, refusal=refusal)
    reach = Reach(tagged.broker.router._sources.rolls, memberships, tagged.broker.agents.near_names)
    to_ops = ("channel:ops", json.dumps({"any_of": ["channel:ops"]}), "bob")

    refused = reach.refusals([envelope(to, sender=one) for one in (ALICE, BOB) for to in to_ops])

    assert [type(one) for one in refused[:3]] == [ConflictError, ConflictError, type(None)]
    assert refused[3:] == [None, None, None]


def test_of_a_batch_a_channel_is_asked_once_and_the_first_unknown_names_get_near_ones(
    tagged: Stage,
) -> None:
    asked: list[str] = []

    def refusal(_sender: AgentId, channel: str) -> None:
        asked.append(channel)

    def near_names(agent: AgentId) -> list[AgentId]:
        asked.append(agent)
        return [BOB]

    rolls = tagged.broker.router._sources.rolls
    reach = Reach(rolls, Memberships(channel={"ops": (BOB,)}.get, refusal=refusal), near_names)
    unknown = [json.dumps({"any_of": ["broadcast"], "not": [f"bobb{n}"]}) for n in range(30)]

    refused = reach.refusals([envelope("channel:ops") for _ in range(30)])
    refused += reach.refusals([envelope(selector) for selector in unknown])

    assert asked == ["ops", *(f"bobb{number}" for number in range(10))]
    assert refused[:30] == [None] * 30
    assert all(isinstance(one, UnknownAgentError) for one in refused[30:])


# --- nobody left when it is routed ----------------------------------------------------------


def test_a_message_that_reaches_nobody_any_more_has_its_verdict(tagged: Stage) -> None:
    identifier = undeliverable(tagged)

    (receipt,) = tagged.broker.archive.receipts(identifier)
    assert receipt.agent_id == "tag:review"
    assert receipt.state is DeliveryState.UNDELIVERABLE
    assert receipt.finished_at is not None
    assert tagged.broker.archive.get(identifier).state is DeliveryState.UNDELIVERABLE


def test_an_undeliverable_message_keeps_its_retention_and_then_leaves(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(retention_seconds=60)
    stage.broker.agents.patch(BOB, {"tags": ("review",)})
    identifier = stage.send("tag:review")
    stage.broker.agents.patch(BOB, {"tags": ()})
    stage.route()
    keys, redis = stage.broker.keys, stage.broker.redis

    left = [
        redis.command("PTTL", key)
        for key in (keys.message(identifier), keys.verdict(identifier), keys.audience(identifier))
    ]

    assert all(50_000 < ms <= 60_000 for ms in left)


def test_an_undeliverable_message_is_counted_once_however_often_it_is_routed(
    tagged: Stage,
) -> None:
    identifier = tagged.send("tag:review")
    untag(tagged)
    batch = tagged.take()
    assert batch is not None
    store = tagged.routing_store()
    (message,) = store.envelopes(batch.ids).values()
    assert store.address([(message, ())], tagged.now()) == [()]
    tagged.broker.agents.patch(BOB, {"tags": ("review",)})
    tagged.forget_drainer()

    tagged.route()

    assert tagged.inbox() == []
    assert tagged.broker.stats.overview().snapshot.states[DeliveryState.UNDELIVERABLE] == 1
    assert tagged.broker.archive.get(identifier).state is DeliveryState.UNDELIVERABLE


def test_an_undeliverable_message_cannot_be_cancelled(tagged: Stage) -> None:
    identifier = undeliverable(tagged)

    with pytest.raises(NotWaitingError):
        tagged.broker.withdrawals.cancel(identifier)


def test_what_replaces_another_withdraws_it_though_it_reaches_nobody_itself(tagged: Stage) -> None:
    old = tagged.deliver("tag:review")
    tagged.send("tag:review", supersedes=old)
    untag(tagged)

    tagged.route()

    assert tagged.state(old) is DeliveryState.SUPERSEDED


# --- counts and listings --------------------------------------------------------------------


def test_a_group_beside_a_name_leaves_the_count_of_what_is_on_its_way_right(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(queue_max_depth=2)
    stage.register("carol")
    for agent in (BOB, CAROL):
        stage.broker.agents.patch(agent, {"tags": ("review",)})

    for _ in range(5):
        stage.deliver(("bob", "tag:review"))
        for agent in (BOB, CAROL):
            stage.ack(stage.lease_one(agent), agent)

    keys, partition = stage.broker.keys, stage.broker.keys.partition_for(ALICE)
    for agent, count in ((BOB, 5), (CAROL, 0)):
        sent = stage.broker.redis.command("HGET", keys.sent(partition), agent)
        arrived = stage.broker.redis.command("HGET", keys.arrived(agent), partition)
        assert int(sent or 0) == int(arrived or 0) == count


def test_messages_are_listed_by_whom_they_reached(tagged: Stage) -> None:
    to_group = tagged.deliver("tag:review")
    to_one = tagged.deliver(("bob", "carol"), strategy=Strategy.RANDOM)
    to_bob = tagged.deliver("bob")
    to_all = tagged.deliver("broadcast", sender="bob")
    (picked,) = [receipt.agent_id for receipt in tagged.broker.archive.receipts(to_one)]

    expected = {
        BOB: {to_group, to_bob},
        CAROL: {to_group, to_all},
        ALICE: {to_all},
        AgentId("user"): set(),
    }
    expected[picked].add(to_one)
    for agent, messages in expected.items():
        assert set(found(tagged, agent)) == messages


def test_what_is_not_routed_yet_is_listed_by_whom_it_names(tagged: Stage) -> None:
    named = tagged.send(("bob", "tag:review"), delay_ms=60_000)
    offered = tagged.send("bob", claimable=True, delay_ms=60_000)

    assert set(found(tagged, BOB)) == {named, offered}
    assert found(tagged, CAROL) == []
