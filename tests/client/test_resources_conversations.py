"""Messages, direct messages, channels and threads by the calls of the client."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.client.conftest import MakeName
from waystation import Station, each
from waystation.errors import (
    ChannelNotFoundError,
    ConflictError,
    IdempotencyConflictError,
    InvalidFieldsError,
    MessageNotFoundError,
    NotAMemberError,
    NotWaitingError,
    StaleLeaseError,
    ThreadNotFoundError,
    UnknownAgentError,
)

pytestmark = pytest.mark.client

Pair = tuple[str, str]


def test_an_agent_is_registered_found_changed_and_forgotten(
    caller: Station, named: MakeName
) -> None:
    carol = named("carol")

    enrolled = caller.agents.register(carol, label="tester", tags=["quick"], instance_id="one")
    again = caller.agents.register(carol, instance_id="two")
    changed = caller.agents.update(carol, label=None, ready=False, meta={"room": 7})
    beaten = caller.agents.heartbeat(carol, status="busy", epoch=again.agent.epoch)

    assert (enrolled.agent.label, enrolled.agent.tags) == ("tester", ["quick"])
    assert again.agent.epoch == enrolled.agent.epoch + 1
    assert (changed.label, changed.ready, changed.meta) == (None, False, {"room": 7})
    assert beaten.reported_status == "busy"
    assert caller.agents.get(carol).id == carol
    caller.agents.delete(carol)
    with pytest.raises(UnknownAgentError):
        caller.agents.get(carol)


def test_a_message_is_sent_fetched_read_extended_and_finished(caller: Station, pair: Pair) -> None:
    alice, bob = pair
    sent = caller.messages.send(
        alice, bob, "hi", payload={"n": 1}, subject="greeting", correlation_id="c-1"
    )

    (message,) = caller.messages.fetch(bob, limit=1, wait_seconds=20, kinds=["chat"]).messages
    assert message.lease is not None
    token = message.lease.token
    extended = caller.messages.extend(message.id, agent_id=bob, lease_token=token, seconds=90)
    caller.messages.read(message.id, agent_id=bob)
    done = caller.messages.ack(message.id, agent_id=bob, lease_token=token)

    assert (message.id, message.payload, message.subject) == (sent.id, {"n": 1}, "greeting")
    assert extended.lease.expires_at > message.lease.expires_at
    assert done.status == "acknowledged"
    (receipt,) = caller.messages.receipts(sent.id)
    assert (receipt.agent_id, receipt.status) == (bob, "acknowledged")
    assert receipt.read_at is not None
    assert caller.messages.get(sent.id).status == "acknowledged"
    with pytest.raises(StaleLeaseError):
        caller.messages.ack(message.id, agent_id=bob, lease_token="1-0")


def test_a_message_that_was_given_back_comes_again(caller: Station, pair: Pair) -> None:
    alice, bob = pair
    caller.messages.send(alice, bob, "try this")
    (first,) = caller.messages.fetch(bob, wait_seconds=20).messages
    assert first.lease is not None

    rejected = caller.messages.nack(
        first.id, agent_id=bob, lease_token=first.lease.token, reason="busy", delay_seconds=0
    )
    (second,) = caller.messages.fetch(bob, wait_seconds=20).messages
    assert second.lease is not None
    tokens = (second.lease.token, "1-0")
    acks = [{"id": second.id, "lease_token": token} for token in tokens]
    results = caller.messages.ack_batch(bob, acks).results

    assert rejected.id == first.id
    assert (second.id, second.attempt) == (first.id, first.attempt + 1)
    assert results[0].status == "acknowledged"
    assert results[1].problem is not None
    assert results[1].problem.code == "stale_lease"


def test_a_batch_is_answered_item_by_item(caller: Station, pair: Pair, named: MakeName) -> None:
    alice, bob = pair

    results = caller.messages.send_batch(
        [
            {"from": alice, "to": bob, "body": "1"},
            {"from": alice, "to": named("nobody"), "body": "2"},
        ]
    ).results

    assert results[0].id is not None
    assert results[1].problem is not None
    assert results[1].problem.code == "unknown_agent"


def test_what_waits_can_be_looked_at_and_withdrawn(caller: Station, pair: Pair) -> None:
    alice, bob = pair
    later = datetime.now(UTC) + timedelta(hours=1)
    sent = caller.messages.send(alice, bob, "later", deliver_at=later)

    cancelled = caller.messages.cancel(sent.id)

    assert cancelled.status == "cancelled"
    assert caller.messages.fetch(bob, peek=True).messages == []


def test_what_a_recipient_holds_is_not_withdrawn(caller: Station, pair: Pair) -> None:
    alice, bob = pair
    sent = caller.messages.send(alice, bob, "now")
    caller.messages.fetch(bob, wait_seconds=20)

    with pytest.raises(NotWaitingError):
        caller.messages.cancel(sent.id)


def test_messages_are_listed_by_what_they_are(caller: Station, pair: Pair) -> None:
    alice, bob = pair
    before = datetime.now(UTC) - timedelta(minutes=1)
    sent = [caller.messages.send(alice, bob, body, kind="discovery").id for body in "12"]
    caller.messages.send(alice, bob, "3")

    found = list(
        each(
            caller.messages.list,
            sender=alice,
            to=bob,
            kind="discovery",
            since=before,
            until=datetime.now(UTC) + timedelta(minutes=1),
            limit=1,
        )
    )

    assert [one.id for one in found] == sent[::-1]
    assert caller.messages.list(sender=alice, until=before).messages == []


def test_a_broadcast_reaches_the_group_that_is_named(
    caller: Station, pair: Pair, named: MakeName
) -> None:
    alice, bob = pair
    caller.agents.update(bob, tags=[named("crew")])

    sent = caller.messages.broadcast(alice, "all hands", to=f"tag:{named('crew')}")

    (message,) = caller.messages.fetch(bob, wait_seconds=20).messages
    assert message.id == sent.id


def test_refusals_have_their_classes(caller: Station, pair: Pair, named: MakeName) -> None:
    alice, bob = pair
    caller.messages.send(alice, bob, "one", idempotency_key="k")

    with pytest.raises(IdempotencyConflictError):
        caller.messages.send(alice, bob, "two", idempotency_key="k")
    with pytest.raises(UnknownAgentError, match=alice):
        caller.messages.send(bob, alice.replace("alice", "alise"), "whom?")
    with pytest.raises(InvalidFieldsError) as refused:
        caller.messages.send(alice, bob, priority="soon", ttl_seconds=-1)
    with pytest.raises(MessageNotFoundError):
        caller.messages.get("msg_01K6ZQ3V9M8T4R2E7YXWBNDC05")
    with pytest.raises(ThreadNotFoundError):
        caller.threads.get(named("no thread"))

    assert {one.field for one in refused.value.fields} >= {"priority", "ttl_seconds"}


def test_two_agents_talk_and_the_talk_stands_in_order(caller: Station, pair: Pair) -> None:
    alice, bob = pair
    first = caller.direct_messages.send(alice, bob, "a minute?")
    (asked,) = caller.messages.fetch(bob, wait_seconds=20).messages
    caller.direct_messages.send(bob, alice, "sure", reply_to=asked.id)

    (talk,) = caller.direct_messages.list(bob).conversations
    said = caller.direct_messages.history(bob, alice).messages
    thread = caller.threads.get(first.thread_id).messages

    assert (talk.with_, talk.unread) == (alice, 1)
    assert [(one.from_, one.body) for one in said] == [(alice, "a minute?"), (bob, "sure")]
    assert [one.body for one in thread] == ["a minute?", "sure"]


def test_a_channel_is_made_joined_posted_to_and_forgotten(
    caller: Station, pair: Pair, named: MakeName
) -> None:
    alice, bob = pair
    name = named("release")
    channels = caller.channels

    channels.create(name, owner=alice, topic="what goes out")
    same = channels.create(name, owner=alice, topic="what goes out")
    joined = channels.join(name, agent_id=bob)
    sent = caller.messages.send(alice, f"channel:{name}", "1.4 is out")
    (received,) = caller.messages.fetch(bob, wait_seconds=20).messages

    assert (same.owner, joined.members) == (alice, 2)
    assert received.id == sent.id
    assert [one.body for one in channels.history(name).messages] == ["1.4 is out"]
    assert {one.agent_id for one in channels.members(name).members} == {alice, bob}
    assert [one.id for one in channels.list(member=bob).channels] == [name]
    channels.leave(name, agent_id=bob)
    assert channels.get(name).members == 1
    with pytest.raises(ConflictError):
        channels.leave(name, agent_id=alice)
    channels.delete(name)
    with pytest.raises(ChannelNotFoundError):
        channels.get(name)


def test_a_private_channel_is_entered_by_invitation(
    caller: Station, pair: Pair, named: MakeName
) -> None:
    alice, bob = pair
    name = named("inner")
    caller.channels.create(name, owner=alice, private=True)

    with pytest.raises(NotAMemberError):
        caller.channels.join(name, agent_id=bob)

    assert caller.channels.invite(name, agent_id=bob).members == 2
    caller.channels.remove(name, agent_id=bob)
    assert caller.channels.update(name, private=False, topic=None).private is False
    assert caller.channels.get(name).members == 1
