"""Replies to tickets: what they finish, what counts as one, and who may send it (SPEC M10)."""

from collections.abc import Sequence
from typing import Any

import pytest

from broker.kernel.errors import (
    IdempotencyConflictError,
    NotClaimedError,
    StaleEpochError,
    StaleLeaseError,
    UnknownAgentError,
)
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId
from broker.messaging.ticket import TicketState
from broker.messaging.tickets import TicketNotFoundError
from broker.storage.connection import Command
from tests.redis.asking import ask, bodies, owed, ticket
from tests.redis.conftest import MakeStage
from tests.redis.stage import HOUR_MS, Stage, token

ALICE, BOB = AgentId("alice"), AgentId("bob")
WITHIN = 20


# --- replying -------------------------------------------------------------------------------


def test_a_reply_reaches_the_asker_correlated_and_finishes_the_copy(stage: Stage) -> None:
    asked = ask(stage, correlation_id="job 7", priority=9)
    held = stage.lease_one()

    sent = stage.reply(asked, body="done", lease_token=token(held))
    stage.route()

    got = stage.lease_one("alice").message
    assert (got.id, got.sender, got.body, got.kind) == (sent.id, "bob", "done", "response")
    assert (got.reply_to, str(got.thread), got.correlation_id) == (asked, asked, "job 7")
    assert got.priority == 9
    assert stage.state(asked) is DeliveryState.REPLIED
    assert stage.inbox("bob") == []


def test_the_correlation_is_the_ticket_where_the_asker_gave_none(stage: Stage) -> None:
    asked = ask(stage)

    stage.reply(asked)
    stage.route()

    assert stage.lease_one("alice").message.correlation_id == asked


@pytest.mark.parametrize("state", ["queued", "leased", "waiting"])
def test_without_a_token_the_copy_is_finished_wherever_it_stands(stage: Stage, state: str) -> None:
    asked = ask(stage)
    if state != "queued":
        held = stage.lease_one()
        if state == "waiting":
            stage.broker.inboxes.reject(BOB, asked, token(held), delay_ms=HOUR_MS)

    stage.reply(asked)

    assert stage.state(asked) is DeliveryState.REPLIED
    keys = stage.broker.keys
    for key in (keys.inbox(BOB), keys.leased(BOB), keys.waiting(BOB), keys.expiring(BOB)):
        assert stage.broker.redis.command("ZCARD", key) == 0


def test_a_stale_token_sends_nothing(stage: Stage) -> None:
    asked = ask(stage, max_attempts=5)
    held = stage.lease_one()
    stage.pass_time()

    with pytest.raises(StaleLeaseError):
        stage.reply(asked, lease_token=token(held))
    stage.route()

    assert ticket(stage, asked).replies == ()
    assert stage.inbox("alice") == []
    assert stage.lease_one().attempt == 2


def test_a_verdict_stands_and_the_reply_still_counts(stage: Stage) -> None:
    asked = ask(stage)
    stage.ack(stage.lease_one())

    stage.reply(asked)

    assert stage.state(asked) is DeliveryState.ACKNOWLEDGED
    assert ticket(stage, asked).state is TicketState.RESPONDED


def test_the_holder_may_acknowledge_what_its_reply_has_finished(stage: Stage) -> None:
    asked = ask(stage)
    held = stage.lease_one()
    stage.reply(asked, lease_token=token(held))

    stage.ack(held)

    assert stage.state(asked) is DeliveryState.REPLIED


def test_the_same_call_again_gives_the_first_reply(stage: Stage) -> None:
    asked = ask(stage)
    held = stage.lease_one()

    first = stage.reply(asked, lease_token=token(held))
    again = stage.reply(asked, lease_token=token(held))

    assert (again.id, first.created, again.created) == (first.id, True, False)
    assert len(ticket(stage, asked).replies) == 1


def test_a_token_stands_for_one_reply(stage: Stage) -> None:
    asked = ask(stage)
    held = stage.lease_one()
    stage.reply(asked, body="yes", lease_token=token(held))

    with pytest.raises(IdempotencyConflictError):
        stage.reply(asked, body="no", lease_token=token(held))

    assert bodies(ticket(stage, asked)) == ["yes"]


def test_a_second_reply_is_a_further_message(stage: Stage) -> None:
    asked = ask(stage)
    stage.reply(asked, body="first")

    stage.reply(asked, body="more")
    stage.route()

    assert bodies(ticket(stage, asked)) == ["first", "more"]
    assert [one.message.body for one in stage.lease("alice")] == ["first", "more"]


def test_only_a_recipient_replies(stage: Stage) -> None:
    stage.register("carol")
    asked = ask(stage)

    with pytest.raises(TicketNotFoundError):
        stage.reply(asked, "carol")
    stage.send("alice", "carol", reply_to=asked)

    assert ticket(stage, asked).state is TicketState.PENDING


def test_who_is_not_registered_cannot_reply(stage: Stage) -> None:
    asked = ask(stage)

    with pytest.raises(UnknownAgentError):
        stage.reply(asked, "bobby")


def test_a_superseded_session_cannot_reply(stage: Stage) -> None:
    asked = ask(stage)
    stage.register("bob", instance_id="new")
    epoch = stage.broker.agents.get(BOB).epoch

    with pytest.raises(StaleEpochError):
        stage.reply(asked, epoch=epoch - 1)

    assert ticket(stage, asked).replies == ()


def test_a_reply_waits_for_an_asker_that_has_yet_to_register(stage: Stage) -> None:
    asked = ask(stage, sender="zoe")

    stage.reply(asked)
    stage.route()
    stage.register("zoe")

    assert stage.lease_one("zoe").message.reply_to == asked


@pytest.mark.parametrize("how", ["one by one", "in a batch"])
def test_an_ordinary_message_that_answers_is_a_reply_as_well(stage: Stage, how: str) -> None:
    asked = ask(stage)
    draft = stage.draft("alice", "bob", body="plainly", reply_to=asked)

    if how == "in a batch":
        stage.broker.queue.send_many([draft])
    else:
        stage.broker.queue.send(draft)

    assert bodies(ticket(stage, asked)) == ["plainly"]
    assert owed(stage) == []


def test_a_batch_of_replies_is_noted_in_one_trip_and_confirmed_in_another(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis, trips = stage.broker.redis, []
    make_trip = redis._trip

    def noted(commands: Sequence[Command]) -> list[Any]:
        trips.append(commands)
        return make_trip(commands)

    drafts = [stage.draft("alice", "bob", reply_to=ask(stage)) for _ in range(100)]
    monkeypatch.setattr(redis, "_trip", noted)

    stage.broker.queue.send_many(drafts)

    assert sum(any(one[0] == "ZADD" for one in commands) for commands in trips) == 2


def test_several_recipients_answer_each_for_itself(stage: Stage) -> None:
    stage.register("carol", "dave")
    asked = ask(stage, ("bob", "carol", "dave"))

    stage.reply(asked, "carol", "c")
    stage.reply(asked, "bob", "b")

    found = ticket(stage, asked)
    assert found.state is TicketState.RESPONDED
    assert {one.agent_id for one in found.replies} == {"bob", "carol"}
    assert found.responded_at == min(one.at for one in found.replies)
    assert [owed(stage, name) for name in ("bob", "carol", "dave")] == [[], [], [asked]]


def test_everybody_may_answer_a_broadcast(stage: Stage) -> None:
    stage.register("carol")
    asked = ask(stage, "broadcast")

    stage.reply(asked, "carol")

    assert [one.agent_id for one in ticket(stage, asked).replies] == ["carol"]
    assert owed(stage) == [asked]


def test_replies_come_in_pages(stage: Stage) -> None:
    asked = ask(stage)
    sent = [stage.reply(asked, body=str(number)).id for number in range(5)]

    first = stage.broker.tickets.get(asked, limit=3)
    rest = stage.broker.tickets.get(asked, limit=3, after=first.cursor)

    assert [one.id for one in first.replies + rest.replies] == sent
    assert (first.count, rest.count, rest.cursor) == (5, 5, None)


def test_a_ticket_stays_answered_when_its_reply_has_left(stage: Stage) -> None:
    asked = ask(stage)
    reply = stage.reply(asked)

    stage.broker.redis.command("DEL", stage.broker.keys.message(reply.id))

    found = ticket(stage, asked)
    assert found.state is TicketState.RESPONDED
    assert [(one.id, one.message) for one in found.replies] == [(reply.id, None)]


@pytest.mark.parametrize("several", [False, True])
def test_a_ticket_is_kept_while_its_reply_is_awaited(
    make_stage: MakeStage, *, several: bool
) -> None:
    stage = make_stage(retention_seconds=1)
    stage.register("carol")
    asked = ask(stage, ("bob", "carol") if several else "bob", timeout_ms=HOUR_MS)
    for name in ("bob", "carol")[: 1 + several]:
        stage.ack(stage.lease_one(name), name)

    stage.settle()

    left = stage.broker.redis.command("PTTL", stage.broker.keys.message(asked))
    assert HOUR_MS - 60_000 < left <= HOUR_MS
    stage.reply(asked)
    assert ticket(stage, asked).state is TicketState.RESPONDED


def test_an_answered_ticket_is_kept_as_long_as_any_message(make_stage: MakeStage) -> None:
    stage = make_stage(retention_seconds=60)
    asked = ask(stage, timeout_ms=HOUR_MS)
    stage.reply(asked)

    stage.settle()

    assert stage.broker.redis.command("PTTL", stage.broker.keys.message(asked)) <= 60_000


def test_a_ticket_outlives_its_message_s_life_when_it_may_be_answered_for_longer(
    stage: Stage,
) -> None:
    asked = ask(stage, ttl_ms=10, timeout_ms=HOUR_MS)
    stage.outlive(asked)
    stage.settle()

    assert stage.state(asked) is DeliveryState.EXPIRED
    assert ticket(stage, asked).state is TicketState.PENDING
    stage.reply(asked)
    assert ticket(stage, asked).state is TicketState.RESPONDED


def test_who_is_only_a_recipient_sees_its_own_replies(stage: Stage) -> None:
    stage.register("carol", "dave")
    asked = ask(stage, ("bob", "carol"))
    stage.reply(asked, "bob")
    stage.reply(asked, "carol")
    tickets = stage.broker.tickets

    seen = [
        {one.agent_id for one in tickets.get(asked, frozenset({AgentId(name)})).replies}
        for name in ("alice", "bob", "carol")
    ]

    assert seen == [{"bob", "carol"}, {"bob"}, {"carol"}]
    with pytest.raises(TicketNotFoundError):
        tickets.get(asked, frozenset({AgentId("dave")}))


# --- tickets that one of several will take --------------------------------------------------


def test_who_has_claimed_a_ticket_answers_it_and_nobody_else(stage: Stage) -> None:
    stage.register("carol")
    asked = ask(stage, ("bob", "carol"), claimable=True)
    with pytest.raises(NotClaimedError):
        stage.reply(asked, "carol")
    held = stage.broker.claims.claim(BOB, asked)

    with pytest.raises(NotClaimedError):
        stage.reply(asked, "carol")
    stage.reply(asked, lease_token=token(held))
    stage.settle()

    with pytest.raises(NotClaimedError):
        stage.reply(asked, "carol")
    assert [one.agent_id for one in ticket(stage, asked).replies] == ["bob"]
    assert stage.state(asked) is DeliveryState.REPLIED
    assert stage.state(asked, "carol") is DeliveryState.TAKEN
    assert [owed(stage, name) for name in ("bob", "carol")] == [[], []]
    assert stage.broker.archive.get(asked).state is DeliveryState.REPLIED


def test_a_claim_that_ended_answers_nothing(stage: Stage) -> None:
    stage.register("carol")
    asked = ask(stage, ("bob", "carol"), claimable=True)
    held = stage.broker.claims.claim(BOB, asked)
    stage.pass_time()

    with pytest.raises(StaleLeaseError):
        stage.reply(asked, lease_token=token(held))

    assert ticket(stage, asked).replies == ()
