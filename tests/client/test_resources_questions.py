"""Tickets and claims by the calls of the client."""

import asyncio

import pytest

from tests.client.conftest import MakeName
from tests.process.stations import Station as Running
from tests.waiting import until
from waystation import AsyncStation, Station
from waystation.answers import Delivered
from waystation.errors import (
    ClaimDoneError,
    ClaimHeldError,
    IdempotencyConflictError,
    NotClaimedError,
    StaleLeaseError,
    TicketNotFoundError,
    UnknownAgentError,
)

pytestmark = pytest.mark.client

Pair = tuple[str, str]


def fetch(caller: Station, agent: str) -> tuple[Delivered, str]:
    """Lease an agent's next message: it, and its lease's token."""
    (message,) = caller.messages.fetch(agent, limit=1, wait_seconds=20).messages
    assert message.lease is not None
    return message, message.lease.token


def test_a_question_is_asked_and_answered(caller: Station, pair: Pair) -> None:
    alice, bob = pair
    asked = caller.tickets.ask(alice, bob, "is PR 12 ready?", timeout_seconds=600)
    assert asked.ticket_id is not None
    question, token = fetch(caller, bob)

    owed = caller.tickets.pending(bob).tickets
    answered = caller.tickets.reply(question.id, "yes", agent_id=bob, lease_token=token)
    again = caller.tickets.reply(question.id, "yes", agent_id=bob, lease_token=token)
    replies = caller.tickets.wait(asked.ticket_id, timeout_seconds=20)

    assert [one.ticket_id for one in owed] == [asked.ticket_id]
    assert (answered.created, again.created, again.id) == (True, False, answered.id)
    assert replies.status == "responded"
    assert [one.response for one in replies.replies] == ["yes"]
    assert caller.tickets.replies(asked.ticket_id).reply_count == 1
    ticket = caller.tickets.get(asked.ticket_id)
    assert (ticket.from_, ticket.to, ticket.status) == (alice, bob, "responded")
    with pytest.raises(IdempotencyConflictError):
        caller.tickets.reply(question.id, "no", agent_id=bob, lease_token=token)


@pytest.mark.parametrize("response", ["text", {"verdict": "yes"}, [1, 2], 0, False])
def test_an_answer_is_text_or_any_json(caller: Station, pair: Pair, response: object) -> None:
    alice, bob = pair
    asked = caller.tickets.ask(alice, bob, "well?")
    fetch(caller, bob)

    caller.tickets.reply(asked.id, response, agent_id=bob)

    assert caller.tickets.wait(asked.id).replies[0].response == response


def test_a_question_is_asked_and_waited_for_in_one_call(station: Running, pair: Pair) -> None:
    alice, bob = pair

    async def talk() -> None:
        async with AsyncStation(station.url) as caller:

            async def answer() -> None:
                (question,) = (await caller.messages.fetch(bob, wait_seconds=20)).messages
                await caller.tickets.reply(question.id, "here", agent_id=bob)

            asked, _ = await asyncio.gather(
                caller.tickets.ask(alice, bob, "where?", wait_seconds=20), answer()
            )

            assert asked.ticket is not None
            assert asked.ticket.replies[0].response == "here"

    asyncio.run(talk())


def test_a_wait_in_vain_says_so(caller: Station, pair: Pair) -> None:
    asked = caller.tickets.ask(*pair, "anybody?")

    assert caller.tickets.wait(asked.id, timeout_seconds=0.1).replies == []


def test_refusals_of_questions_have_their_classes(
    caller: Station, pair: Pair, named: MakeName
) -> None:
    alice, bob = pair

    with pytest.raises(UnknownAgentError):
        caller.tickets.ask(alice, named("nobody"), "hello?")
    with pytest.raises(TicketNotFoundError):
        caller.tickets.reply("msg_01K6ZQ3V9M8T4R2E7YXWBNDC05", "what?", agent_id=bob)


@pytest.fixture
def offered(caller: Station, pair: Pair, named: MakeName) -> str:
    """A message that is offered to both."""
    for agent in pair:
        caller.agents.update(agent, tags=[named("reviewer")])
    sender = named("carol")
    caller.agents.register(sender)
    target = f"tag:{named('reviewer')}"
    sent = caller.messages.send(sender, target, "review PR 12", claimable=True)
    for agent in pair:
        offer, token = fetch(caller, agent)
        assert offer.claimable
        with pytest.raises(NotClaimedError):
            caller.messages.ack(sent.id, agent_id=agent, lease_token=token)
    return sent.id


def test_of_two_one_has_the_claim_and_finishes_it(
    caller: Station, pair: Pair, offered: str
) -> None:
    alice, bob = pair
    assert caller.claims.get(offered).status == "open"

    claimed = caller.claims.claim(offered, agent_id=alice, claim_seconds=60)
    same = caller.claims.claim(offered, agent_id=alice)
    with pytest.raises(ClaimHeldError) as held:
        caller.claims.claim(offered, agent_id=bob)
    renewed = caller.claims.renew(
        offered, agent_id=alice, lease_token=claimed.claim.token, seconds=300
    )
    standing = caller.claims.get(offered)
    caller.messages.ack(offered, agent_id=alice, lease_token=claimed.claim.token)

    assert same.claim.token == claimed.claim.token
    assert held.value.retry_after_seconds is not None
    assert renewed.claim.expires_at > claimed.claim.expires_at
    assert (standing.status, standing.agent_id) == ("claimed", alice)

    def is_done() -> bool:
        return caller.claims.get(offered).status == "done"

    until(is_done, within=20, what="the claim is done")
    with pytest.raises(ClaimDoneError):
        caller.claims.claim(offered, agent_id=bob)


def test_a_claim_that_is_released_is_anothers_to_take(
    caller: Station, pair: Pair, offered: str
) -> None:
    alice, bob = pair
    first = caller.claims.claim(offered, agent_id=alice)

    released = caller.claims.release(offered, agent_id=alice, lease_token=first.claim.token)

    assert released.status == "open"
    assert caller.claims.claim(offered, agent_id=bob).message.id == offered
    with pytest.raises(StaleLeaseError):
        caller.claims.renew(offered, agent_id=alice, lease_token=first.claim.token, seconds=9)
