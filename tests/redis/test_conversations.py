"""Direct conversations: the indexes behind them, and strike_off_counterpart.lua."""

from functools import partial
from itertools import permutations

import pytest

from broker.kernel.errors import InvalidFieldsError
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.conversation import ConversationName, direct_with
from broker.messaging.conversation_store import (
    ConversationStore,
    commands_to_join,
)
from broker.messaging.conversations import DirectConversation
from broker.wiring import message_policy
from tests.redis.racing import race
from tests.redis.stage import HOUR_MS, Stage

ALICE, BOB, CAROL = AgentId("alice"), AgentId("bob"), AgentId("carol")
TWO = direct_with(ALICE, BOB)


def say(stage: Stage, sender: AgentId, to: AgentId, **fields: object) -> MessageId:
    return stage.deliver(to, sender, channel=direct_with(sender, to), **fields)


def seen_by(stage: Stage, agent: AgentId, limit: int = 100) -> list[DirectConversation]:
    return stage.broker.conversations.of(agent, limit=limit)[0]


def history(stage: Stage, name: ConversationName = TWO, limit: int = 100) -> list[MessageId]:
    return [one.id for one in stage.broker.conversations.history(name, limit=limit)[0]]


def say_and_die(stage: Stage) -> None:
    """As if a sender had been killed before its message was stored."""
    identifier = say(stage, ALICE, BOB)
    stage.broker.redis.command("DEL", stage.broker.keys.message(identifier))


@pytest.mark.parametrize(("one", "other"), list(permutations((ALICE, BOB))))
def test_a_conversation_has_one_name_whoever_begins_it(one: AgentId, other: AgentId) -> None:
    assert direct_with(one, other) == "dm:alice:bob"


def test_both_parties_find_a_conversation_and_what_was_said_in_order(stage: Stage) -> None:
    said = [say(stage, ALICE, BOB), say(stage, BOB, ALICE), say(stage, ALICE, BOB)]

    (of_alice,), (of_bob,) = seen_by(stage, ALICE), seen_by(stage, BOB)

    assert history(stage) == said
    assert (of_alice.other, of_bob.other) == (BOB, ALICE)
    assert of_alice.last_message_id == of_bob.last_message_id == said[-1]
    assert (of_alice.unread, of_bob.unread) == (1, 2)


def test_what_was_read_or_acknowledged_is_not_unread(stage: Stage) -> None:
    read, acknowledged, _ = (say(stage, ALICE, BOB) for _ in range(3))
    stage.broker.inboxes.mark_read(BOB, read)
    held = {one.message.id: one for one in stage.lease()}
    stage.ack(held[acknowledged])

    (conversation,) = seen_by(stage, BOB)

    assert conversation.unread == 1
    found, _ = stage.broker.conversations.direct_history(BOB, ALICE, limit=10)
    assert [one.unread for one in found] == [False, False, True]
    assert found[0].read_at is not None


def test_a_conversation_is_read_back_page_by_page_without_a_gap(stage: Stage) -> None:
    said = [say(stage, ALICE, BOB) for _ in range(7)]
    pages, cursor = [], None

    while True:
        page, cursor = stage.broker.conversations.history(TWO, limit=3, before=cursor)
        pages.append([one.id for one in page])
        if cursor is None:
            break
        say(stage, BOB, ALICE)

    assert pages == [said[4:], said[1:4], said[:1]]


def test_conversations_come_last_used_first_and_page_by_page(stage: Stage) -> None:
    others = [AgentId(f"agent-{number:02d}") for number in range(25)]
    stage.register(*others)
    for other in others:
        say(stage, ALICE, other)
    say(stage, others[3], ALICE)

    found: list[AgentId] = []
    cursor = None
    while True:
        page, cursor = stage.broker.conversations.of(ALICE, limit=10, before=cursor)
        found += [one.other for one in page]
        if cursor is None:
            break

    assert found[0] == others[3]
    assert sorted(found) == others


def test_no_more_than_the_newest_thousand_are_counted_and_that_is_said(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.messaging.conversations.COUNTED", 3)
    for _ in range(3):
        say(stage, ALICE, BOB)
    (exact,) = seen_by(stage, BOB)
    say(stage, ALICE, BOB)
    (bounded,) = seen_by(stage, BOB)

    assert (exact.unread, exact.unread_at_least) == (3, False)
    assert (bounded.unread, bounded.unread_at_least) == (3, True)


def test_a_direct_message_goes_to_exactly_the_other_one(stage: Stage) -> None:
    stage.register(CAROL)

    for to, sender, channel in (
        ("carol", ALICE, TWO),
        (("bob", "carol"), ALICE, TWO),
        ("broadcast", ALICE, TWO),
        ("alice", ALICE, "dm:alice:alice"),
        ("bob", ALICE, "dm:bob:alice"),
        ("bob", ALICE, "dm:"),
    ):
        with pytest.raises(InvalidFieldsError):
            stage.send(to, sender, channel=channel)

    assert seen_by(stage, ALICE) == []


def test_an_answer_stays_in_the_conversation_of_what_it_answers(stage: Stage) -> None:
    stage.register(CAROL)
    first = say(stage, ALICE, BOB)

    answer = stage.deliver("alice", "bob", reply_to=first)
    aside = stage.deliver("carol", "bob", reply_to=first)

    assert history(stage) == [first, answer]
    assert stage.broker.archive.get(aside).message.channel is None


def test_what_waits_or_was_withdrawn_is_not_shown(stage: Stage) -> None:
    say(stage, ALICE, BOB, delay_ms=HOUR_MS)
    stage.broker.withdrawals.cancel(stage.send(BOB, ALICE, channel=TWO))
    routed = say(stage, ALICE, BOB)
    stage.broker.withdrawals.cancel(routed)

    found, _ = stage.broker.conversations.direct_history(BOB, ALICE, limit=10)

    assert found == []
    assert sum(one.unread for one in seen_by(stage, BOB)) == 0


def test_a_message_that_was_never_stored_is_no_part_of_its_conversation(stage: Stage) -> None:
    say_and_die(stage)

    assert history(stage) == []
    assert seen_by(stage, BOB) == []


def test_what_stands_for_nothing_is_struck_off_once_it_can_no_longer_be_stored(
    stage: Stage,
) -> None:
    say_and_die(stage)
    keys, redis = stage.broker.keys, stage.broker.redis
    seen_by(stage, BOB)
    assert redis.command("ZCARD", keys.counterparts(BOB)) == 1
    stage.shift(keys.counterparts(BOB), -2 * HOUR_MS)

    assert seen_by(stage, BOB) == []

    assert redis.command("ZCARD", keys.counterparts(BOB)) == 0


def test_a_conversation_that_is_used_again_is_not_struck_off(stage: Stage) -> None:
    store = ConversationStore(stage.broker.redis, stage.broker.keys)
    say(stage, ALICE, BOB)
    (before,) = store.counterparts(BOB, None, 10)

    stage.shift(stage.broker.keys.counterparts(BOB), 1)
    store.strike_off(BOB, before)

    assert [one.other for one in store.counterparts(BOB, None, 10)] == [ALICE]


def test_striking_off_loses_no_race_against_a_new_message(stage: Stage) -> None:
    store = ConversationStore(stage.broker.redis, stage.broker.keys)

    for _ in range(20):
        say(stage, ALICE, BOB)
        (before,) = store.counterparts(BOB, None, 10)
        strike_off = partial(store.strike_off, BOB, before)
        race(strike_off, strike_off, partial(stage.send, BOB, ALICE, channel=TWO))

        left = store.counterparts(BOB, None, 10)
        last = stage.broker.conversations.history(TWO, limit=1)[0][0]
        assert last.created_at == before.last_at or [one.other for one in left] == [ALICE]


def test_a_conversation_leaves_with_its_newest_message(stage: Stage) -> None:
    identifier = say(stage, ALICE, BOB)
    message = stage.broker.archive.get(identifier).message
    keys, redis = stage.broker.keys, stage.broker.redis
    lifetime = message_policy(stage.settings).record_ms(message.expires_at - message.created_at)

    say(stage, ALICE, BOB, ttl_ms=1000)

    for key in (keys.conversation(TWO), keys.counterparts(ALICE), keys.counterparts(BOB)):
        assert lifetime - HOUR_MS < redis.command("PTTL", key) <= lifetime


def test_a_plain_message_joins_no_conversation(stage: Stage) -> None:
    message = stage.broker.archive.get(stage.send(channel="general")).message

    assert commands_to_join(stage.broker.keys, message_policy(stage.settings), [message]) == []


def test_an_answer_to_more_than_the_other_one_leaves_the_conversation(stage: Stage) -> None:
    first = say(stage, ALICE, BOB)

    answer = stage.deliver(("alice", "broadcast"), "bob", reply_to=first)

    assert stage.broker.archive.get(answer).message.channel is None
    assert history(stage) == [first]
