"""Replies raced by what else ends a ticket's copy, each caller with connections of its own."""

from functools import partial
from typing import Any

import pytest

from broker.kernel.errors import BrokerError, ConflictError
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.ticket import TicketState
from tests.redis.conftest import MakeStage
from tests.redis.racing import race, succeeded
from tests.redis.stage import Stage, token

BOB = AgentId("bob")
CALLERS = 8
ROUNDS = 20


@pytest.fixture
def stages(make_stage: MakeStage) -> list[Stage]:
    """One stage a caller, all of the same namespace."""
    return [make_stage() for _ in range(CALLERS)]


def ask(stage: Stage, **fields: Any) -> MessageId:
    return stage.deliver(expects_reply=True, **fields)


def reply_count(stage: Stage, asked: MessageId) -> int:
    return stage.broker.tickets.get(asked).count


def test_a_reply_and_an_acknowledgement_agree_on_one_verdict(stages: list[Stage]) -> None:
    one, other = stages[:2]
    for _ in range(ROUNDS):
        asked = ask(one)
        held = one.lease_one()

        replied, acknowledged = race(
            partial(one.reply, asked, lease_token=token(held)), partial(other.ack, held)
        )

        # After the reply an acknowledgement of the same token is fine; not the other way round.
        assert acknowledged is None
        is_replied = not isinstance(replied, BrokerError)
        assert one.state(asked) is (
            DeliveryState.REPLIED if is_replied else DeliveryState.ACKNOWLEDGED
        )
        assert reply_count(one, asked) == int(is_replied)


def test_a_reply_and_the_end_of_its_lease_have_one_winner(stages: list[Stage]) -> None:
    def settle_until_ended(name: MessageId) -> None:
        while stages[1].state(name) is DeliveryState.LEASED:
            stages[1].settle()

    for _ in range(ROUNDS):
        asked = ask(stages[0], max_attempts=10)
        held = stages[0].lease_one(lease_ms=5)

        result, _ = race(
            partial(stages[0].reply, asked, lease_token=token(held)),
            partial(settle_until_ended, asked),
        )

        if isinstance(result, BrokerError):
            assert isinstance(result, ConflictError)
            assert reply_count(stages[0], asked) == 0
            again = stages[0].lease_one()
            assert (again.message.id, again.attempt) == (asked, 2)
            stages[0].reply(asked, lease_token=token(again))
        assert reply_count(stages[0], asked) == 1
        assert stages[0].state(asked) is DeliveryState.REPLIED
        assert stages[0].lease() == []


def test_the_same_reply_sent_by_many_is_sent_once(stages: list[Stage]) -> None:
    for _ in range(ROUNDS):
        asked = ask(stages[0])
        held = stages[0].lease_one()

        sent = race(*(partial(each.reply, asked, lease_token=token(held)) for each in stages))

        assert len({one.id for one in sent}) == 1
        assert sum(one.created for one in sent) == 1
        assert reply_count(stages[0], asked) == 1


def test_different_replies_under_one_token_have_one_winner(stages: list[Stage]) -> None:
    for _ in range(ROUNDS):
        asked = ask(stages[0])
        held = stages[0].lease_one()

        results = race(
            *(
                partial(each.reply, asked, body=str(number), lease_token=token(held))
                for number, each in enumerate(stages)
            )
        )

        (winner,) = succeeded(results)
        answered = stages[0].broker.tickets.get(asked)
        assert [one.id for one in answered.replies] == [winner.id]


def test_replies_without_a_token_all_count_and_finish_the_copy_once(stages: list[Stage]) -> None:
    for _ in range(ROUNDS):
        asked = ask(stages[0])

        sent = race(*(partial(each.reply, asked) for each in stages))

        answered = stages[0].broker.tickets.get(asked)
        assert {one.id for one in answered.replies} == {one.id for one in sent}
        assert stages[0].state(asked) is DeliveryState.REPLIED
        assert stages[0].lease() == []


def test_a_reply_and_a_cancellation_have_one_verdict_and_the_reply_is_kept(
    stages: list[Stage],
) -> None:
    one, other = stages[:2]
    for _ in range(ROUNDS):
        asked = ask(one)

        replied, cancelled = race(
            partial(one.reply, asked), partial(other.broker.withdrawals.cancel, asked)
        )

        assert not isinstance(replied, BrokerError)
        assert one.state(asked) is (
            DeliveryState.CANCELLED if cancelled is None else DeliveryState.REPLIED
        )
        assert one.broker.tickets.get(asked).state is TicketState.RESPONDED
        assert one.broker.tickets.owed_by(BOB, limit=10) == ([], None)
