"""Accepting messages: enqueue.lua, admission.lua and the queue around them."""

from typing import Any

import pytest

from broker.kernel.errors import (
    BrokerError,
    IdempotencyConflictError,
    InboxFullError,
    InvalidFieldsError,
    StaleEpochError,
    StorageUnavailableError,
    TooLargeError,
    UnknownAgentError,
)
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.queue import Accepted
from tests.redis.conftest import MakeStage
from tests.redis.stage import Stage


def test_an_accepted_message_stands_in_ingress_and_is_stored(stage: Stage) -> None:
    identifier = stage.send(body="hello", subject="hi", payload=b'{"n": 1}')

    listed = stage.broker.archive.get(identifier)
    assert listed.state is DeliveryState.ACCEPTED
    assert (listed.message.body, listed.message.subject) == ("hello", "hi")
    assert listed.message.payload == b'{"n": 1}'


def test_the_same_idempotency_key_returns_the_first_message(stage: Stage) -> None:
    draft = stage.draft(idempotency_key="k1")
    first = stage.broker.queue.send(draft)

    again = stage.broker.queue.send(draft)

    assert first.created
    assert (again.id, again.created, again.thread_id) == (first.id, False, first.thread_id)
    assert stage.route() == 1


def test_the_same_idempotency_key_twice_in_one_batch_makes_one_message(stage: Stage) -> None:
    draft = stage.draft(idempotency_key="k1")

    first, second = stage.broker.queue.send_many([draft, draft])

    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert (second.id, second.created) == (first.id, False)


def test_the_same_idempotency_key_for_another_message_conflicts(stage: Stage) -> None:
    stage.send(body="one", idempotency_key="k1")

    with pytest.raises(IdempotencyConflictError):
        stage.send(body="two", idempotency_key="k1")


def test_two_senders_may_use_the_same_idempotency_key(stage: Stage) -> None:
    first = stage.send(sender="alice", idempotency_key="k1")
    second = stage.send(sender="zoe", idempotency_key="k1")

    assert first != second


def test_a_repeat_finds_the_first_message_even_if_its_recipient_has_gone(stage: Stage) -> None:
    draft = stage.draft(idempotency_key="k1")
    first = stage.broker.queue.send(draft)
    stage.broker.agents.delete(AgentId("bob"))

    again = stage.broker.queue.send(draft)

    assert (again.id, again.created) == (first.id, False)


def test_a_repeat_finds_the_first_message_even_if_what_it_replied_to_has_gone(stage: Stage) -> None:
    asked = stage.send("alice", "bob")
    draft = stage.draft(idempotency_key="k1", reply_to=asked)
    first = stage.broker.queue.send(draft)
    stage.broker.redis.command("DEL", stage.broker.keys.message(asked))

    again = stage.broker.queue.send(draft)

    assert (again.id, again.created) == (first.id, False)


def test_an_unknown_recipient_is_refused_with_near_names(stage: Stage) -> None:
    with pytest.raises(UnknownAgentError) as refused:
        stage.send("bobb")

    assert refused.value.near == ("bob",)
    assert [problem.field for problem in refused.value.problems] == ["to"]


def test_a_message_may_be_held_for_an_agent_that_registers_later(stage: Stage) -> None:
    identifier = stage.deliver("carol", hold_for_unknown=True)

    stage.register("carol")

    assert stage.lease_one("carol").message.id == identifier


def test_a_superseded_session_may_not_send(stage: Stage) -> None:
    stage.register("alice", instance_id="one")
    old = stage.broker.agents.get(AgentId("alice")).epoch
    stage.register("alice", instance_id="two")

    with pytest.raises(StaleEpochError):
        stage.send(epoch=old)

    assert stage.send(epoch=old + 1)


def test_a_bad_message_does_not_sink_the_rest_of_its_batch(stage: Stage) -> None:
    results = stage.broker.queue.send_many(
        [
            stage.draft(),
            stage.draft("nobody"),
            stage.draft("pool:x"),
            stage.draft(sender="zoe"),
            stage.draft(body="x" * 300_000),
            stage.draft(),
        ]
    )

    assert [type(result) for result in results] == [
        Accepted,
        UnknownAgentError,
        InvalidFieldsError,
        Accepted,
        TooLargeError,
        Accepted,
    ]
    assert stage.route() == 3


def test_more_messages_than_one_script_call_takes_are_all_accepted_in_order(stage: Stage) -> None:
    results = stage.broker.queue.send_many([stage.draft(body=str(n)) for n in range(600)])

    stage.route()

    sent = [result.id for result in results if isinstance(result, Accepted)]
    assert stage.inbox() == sent


def test_one_sender_fills_an_inbox_exactly_to_its_limit(make_stage: MakeStage) -> None:
    stage = make_stage(queue_max_depth=3)

    results = stage.broker.queue.send_many([stage.draft() for _ in range(5)])

    assert [isinstance(result, Accepted) for result in results] == [True, True, True, False, False]
    assert isinstance(results[3], InboxFullError)
    stage.route()
    with pytest.raises(InboxFullError) as full:
        stage.send()
    assert full.value.retry_after_seconds
    stage.ack(stage.lease_one())
    stage.send()
    with pytest.raises(InboxFullError):
        stage.send()


def test_a_leased_message_still_takes_its_place_in_the_inbox(make_stage: MakeStage) -> None:
    stage = make_stage(queue_max_depth=1)
    stage.deliver()
    stage.lease_one()

    with pytest.raises(InboxFullError):
        stage.send()


def test_a_cancelled_message_gives_its_place_back(make_stage: MakeStage) -> None:
    stage = make_stage(queue_max_depth=1)
    stage.broker.withdrawals.cancel(stage.send(delay_ms=60_000))

    assert stage.send()


def test_an_agent_may_have_a_limit_of_its_own(stage: Stage) -> None:
    stage.broker.redis.command("HSET", stage.broker.keys.agent(AgentId("bob")), "max_depth", 1)
    stage.send()

    with pytest.raises(InboxFullError):
        stage.send()


def test_the_thread_is_inherited_through_a_reply(stage: Stage) -> None:
    asked = stage.broker.queue.send(stage.draft())
    replied = stage.broker.queue.send(stage.draft("alice", "bob", reply_to=asked.id))
    third = stage.broker.queue.send(stage.draft(reply_to=replied.id))

    assert str(asked.thread_id) == str(asked.id)
    assert replied.thread_id == third.thread_id == asked.thread_id
    thread, _ = stage.broker.archive.thread(asked.thread_id, limit=10)
    assert [listed.message.id for listed in thread] == [asked.id, replied.id, third.id]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reply_to", MessageId("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV")),
        ("supersedes", MessageId("msg_01ARZ3NDEKTSV4RRFFQ69G5FAV")),
        ("ttl_ms", 10**12),
        ("delay_ms", 10**12),
        ("deliver_at", 10**15),
    ],
)
def test_a_field_that_breaks_a_rule_is_named(stage: Stage, field: str, value: Any) -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        stage.send(**{field: value})

    named = refused.value.problems[0].field
    assert named in {field, field.replace("_ms", "_seconds")}


def test_what_another_sent_cannot_be_superseded(stage: Stage) -> None:
    others = stage.send("alice", "bob")

    with pytest.raises(InvalidFieldsError):
        stage.send(supersedes=others)


def test_the_same_call_again_stores_nothing_twice(stage: Stage) -> None:
    store, partition = stage.broker.queue._store, stage.broker.keys.partition_for(AgentId("alice"))
    sent: list[list[object]] = []
    enqueue = store.enqueue

    def twice(*arguments: object) -> object:
        sent.append([enqueue(*arguments), enqueue(*arguments)])  # type: ignore[arg-type]
        return sent[-1][1]

    store.enqueue = twice  # type: ignore[method-assign,assignment]
    identifier = stage.send()

    ((first, second),) = sent
    assert first == (True, [["accepted", identifier]])
    assert second == (False, [["accepted", identifier]])
    depth = stage.broker.redis.command("ZCARD", stage.broker.keys.ingress(partition))
    assert depth == 1


def test_a_batch_that_was_stored_in_part_says_so_item_by_item(stage: Stage) -> None:
    enqueue, calls = stage.broker.queue._store.enqueue, []

    def fails_at_the_second(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 2:
            raise StorageUnavailableError("gone", retry_after_seconds=1)
        return enqueue(*arguments)  # type: ignore[arg-type]

    stage.broker.queue._store.enqueue = fails_at_the_second  # type: ignore[method-assign,assignment]
    results = stage.broker.queue.send_many([stage.draft(body=str(n)) for n in range(300)])

    assert all(isinstance(result, Accepted) for result in results[:250])
    assert all(isinstance(result, BrokerError) for result in results[250:])
    assert stage.route() == 250
