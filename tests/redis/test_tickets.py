"""Tickets: their states, crashes between their steps, waiting, what is owed (SPEC M10)."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.kernel.errors import (
    ConflictError,
    UnknownAgentError,
)
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.dead_letters import DeadLetterFilter
from broker.messaging.delivery import Delivered
from broker.messaging.ticket import TicketState
from broker.messaging.tickets import TicketNotFoundError
from tests.redis.asking import ask, owed, ticket
from tests.redis.conftest import MakeStage
from tests.redis.stage import HOUR_MS, Stage, token
from tests.waiting import until

ALICE, BOB = AgentId("alice"), AgentId("bob")
WITHIN = 20


# --- the states -----------------------------------------------------------------------------


def test_a_ticket_is_pending_then_delivered_then_responded(stage: Stage) -> None:
    asked = ask(stage)
    states = [ticket(stage, asked).state]

    held = stage.lease_one()
    states.append(ticket(stage, asked).state)
    reply = stage.reply(asked, lease_token=token(held))

    answered = ticket(stage, asked)
    assert states == [TicketState.PENDING, TicketState.DELIVERED]
    assert answered.state is TicketState.RESPONDED
    assert [one.id for one in answered.replies] == [reply.id]
    assert answered.responded_at == reply.accepted_at
    assert not answered.is_late


def test_a_ticket_times_out_and_a_late_reply_still_answers_it(stage: Stage) -> None:
    asked = ask(stage, timeout_ms=1)

    until(
        lambda: ticket(stage, asked).state is TicketState.TIMEOUT,
        within=WITHIN,
        what="the end of the wait",
    )
    stage.reply(asked)

    late = ticket(stage, asked)
    assert late.state is TicketState.RESPONDED
    assert late.is_late


def test_without_a_timeout_the_message_s_own_life_is_the_wait(stage: Stage) -> None:
    asked = ask(stage, ttl_ms=HOUR_MS)

    message = ticket(stage, asked).message

    assert message.timeout_at == message.created_at + HOUR_MS


def test_what_expects_no_reply_is_no_ticket(stage: Stage) -> None:
    plain = stage.deliver()

    for call in (lambda: stage.broker.tickets.get(plain), lambda: stage.reply(plain)):
        with pytest.raises(TicketNotFoundError):
            call()


# --- crashes --------------------------------------------------------------------------------


def test_a_reply_that_was_noted_and_never_stored_is_none(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(stage)

    def die(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(stage.broker.tickets._store, "replying", lambda *_: die)
        with pytest.raises(SystemExit):
            stage.reply(asked)

    assert stage.broker.redis.command("ZCARD", stage.broker.keys.replies(asked)) == 1
    assert ticket(stage, asked).state is TicketState.PENDING
    assert owed(stage) == [asked]


def test_a_reply_that_was_stored_counts_though_its_sender_died_then(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(stage)

    def die(*_: object, **__: object) -> None:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(stage.broker.queue._relations, "settle", die)
        with pytest.raises(SystemExit):
            stage.broker.queue.send(stage.draft("alice", "bob", reply_to=asked))

    assert owed(stage) == []
    answered = ticket(stage, asked)
    assert answered.state is TicketState.RESPONDED
    stage.broker.redis.command("DEL", stage.broker.keys.message(answered.replies[0].id))
    assert ticket(stage, asked).state is TicketState.RESPONDED


def test_a_refused_reply_leaves_no_trace(make_stage: MakeStage) -> None:
    stage = make_stage(queue_max_depth=1)
    asked = ask(stage)
    stage.deliver("alice", "bob")

    with pytest.raises(Exception, match="limit"):
        stage.reply(asked)

    assert stage.broker.redis.command("ZCARD", stage.broker.keys.replies(asked)) == 0
    assert stage.state(asked) is DeliveryState.QUEUED
    assert owed(stage) == [asked]


# --- waiting --------------------------------------------------------------------------------


def test_a_wait_ends_with_the_reply(make_stage: MakeStage) -> None:
    stage, other = make_stage(), make_stage()
    asked = ask(stage)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(stage.broker.tickets.wait, asked, wait_seconds=WITHIN)
        until(
            lambda: ALICE in stage.broker.arrivals._waiting, within=WITHIN, what="somebody waiting"
        )
        reply = other.reply(asked)
        other.route()

        assert [one.id for one in waiting.result(WITHIN).replies] == [reply.id]


def test_a_wait_ends_when_the_time_of_the_ticket_is_over(stage: Stage) -> None:
    asked = ask(stage, timeout_ms=50)

    found = stage.broker.tickets.wait(asked, wait_seconds=WITHIN)

    assert found.state is TicketState.TIMEOUT


def test_a_wait_ends_when_the_station_stops(stage: Stage) -> None:
    asked, stop = ask(stage), threading.Event()

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(stage.broker.tickets.wait, asked, wait_seconds=WITHIN, stop=stop)
        until(
            lambda: ALICE in stage.broker.arrivals._waiting, within=WITHIN, what="somebody waiting"
        )
        stop.set()
        stage.broker.arrivals.wake_all()

        assert waiting.result(WITHIN).state is TicketState.PENDING


# --- what is owed ---------------------------------------------------------------------------


def test_an_agent_owes_what_it_was_asked_and_has_not_answered(stage: Stage) -> None:
    stage.deliver()
    first, second, third = ask(stage), ask(stage), ask(stage)
    stage.ack(stage.lease(limit=2)[1])

    stage.reply(second)

    found, cursor = stage.broker.tickets.owed_by(BOB, limit=10)
    assert [(one.message.id, one.state) for one in found] == [
        (first, TicketState.DELIVERED),
        (third, TicketState.PENDING),
    ]
    assert cursor is None
    assert len(stage.inbox()) == 1


def test_what_times_out_first_is_owed_first_a_page_at_a_time(stage: Stage) -> None:
    slow = ask(stage, timeout_ms=3 * HOUR_MS)
    fast = ask(stage, timeout_ms=HOUR_MS)
    middle = ask(stage, timeout_ms=2 * HOUR_MS)

    first, cursor = stage.broker.tickets.owed_by(BOB, limit=2)
    assert cursor is not None
    rest, end = stage.broker.tickets.owed_by(BOB, limit=2, after=cursor)

    assert [one.message.id for one in first + rest] == [fast, middle, slow]
    assert end is None


def test_what_was_withdrawn_or_timed_out_is_not_owed(stage: Stage) -> None:
    cancelled, passing = ask(stage), ask(stage, timeout_ms=1)
    stage.broker.withdrawals.cancel(cancelled)

    until(lambda: owed(stage) == [], within=WITHIN, what="nothing owed")

    assert ticket(stage, passing).state is TicketState.TIMEOUT


def test_a_dead_letter_is_owed_again_when_it_is_retried(stage: Stage) -> None:
    asked = ask(stage)
    stage.broker.inboxes.reject(BOB, asked, token(stage.lease_one()), permanent=True)
    while_dead = owed(stage)
    (letter,), _ = stage.broker.dead_letters.find(DeadLetterFilter(), limit=1)

    stage.broker.dead_letters.retry(letter.id)

    assert while_dead == []
    assert owed(stage) == [asked]


def test_nobody_owes_who_is_unknown(stage: Stage) -> None:
    with pytest.raises(UnknownAgentError):
        owed(stage, "nobody")


# --- the property ---------------------------------------------------------------------------

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reply", "reply with token", "send", "ack", "lease", "route"]),
        st.sampled_from(["bob", "carol", "mallory"]),
    ),
    max_size=12,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_a_ticket_is_responded_exactly_if_a_recipient_s_reply_is_stored(
    stage: Stage, steps: list[tuple[str, str]]
) -> None:
    # Each example asks a ticket of its own.
    stage.register("carol", "mallory")
    asked = ask(stage, ("bob", "carol"))
    held: dict[tuple[str, MessageId], Delivered] = {}

    for action, agent in steps:
        try:
            if action == "lease":
                held |= {(agent, one.message.id): one for one in stage.lease(agent)}
            elif action == "route":
                stage.route()
            elif action == "send":
                stage.send("alice", agent, reply_to=asked)
            elif action == "reply":
                stage.reply(asked, agent)
            elif (agent, asked) in held and action == "ack":
                stage.ack(held[agent, asked], agent)
            elif (agent, asked) in held:
                stage.reply(asked, agent, lease_token=token(held[agent, asked]))
        except (ConflictError, TicketNotFoundError):
            continue

    stage.route()
    thread, _ = stage.broker.archive.thread(
        stage.broker.archive.get(asked).message.thread, limit=1000
    )
    replies = [
        one.message.id
        for one in thread
        if one.message.reply_to == asked and one.message.sender in {"bob", "carol"}
    ]
    found = ticket(stage, asked)
    assert [one.id for one in found.replies] == sorted(replies)
    assert (found.state is TicketState.RESPONDED) == bool(replies)
    for name in ("bob", "carol"):
        has_replied = any(one.agent_id == name for one in found.replies)
        assert (asked in owed(stage, name)) == (not has_replied)
