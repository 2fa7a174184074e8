"""What claims are to the connection that makes them: its credit, and what is left when it drops."""

import pytest

from broker.kernel.ids import AgentId, MessageId
from broker.messaging.message import Draft
from tests.contract.websocket_server import Agent, Server, register
from tests.waiting import until

pytestmark = pytest.mark.contract

WITHIN = 10


@pytest.fixture
def server(open_server: Server) -> Server:
    return open_server


@pytest.fixture
def bob(server: Server, namespace: str) -> str:
    return register(server, f"bob-{namespace}", "one")


@pytest.fixture
def carol(server: Server, namespace: str) -> str:
    return register(server, f"carol-{namespace}")


def offer(server: Server, *to: str) -> MessageId:
    draft = Draft(sender=AgentId("alice"), to=to, body="one of you", claimable=True)
    accepted = server.broker.queue.send(draft)
    server.broker.router.drain_unrung()
    return accepted.id


def claim_elsewhere(server: Server, agent: str, message: MessageId) -> None:
    server.broker.claims.claim(AgentId(agent), message)


def holder(server: Server, message: MessageId) -> str | None:
    server.broker.settlement.sweep()
    claim = server.broker.claims.of(message)
    return None if claim is None else claim.agent_id


def test_an_offer_that_another_has_takes_no_credit(server: Server, bob: str, carol: str) -> None:
    message = offer(server, bob, carol)
    client = Agent(server, bob)
    client.hello(credit=1)
    client.messages(1)
    claim_elsewhere(server, carol, message)
    (later,) = server.send(bob, "later")
    assert client.pushed_meanwhile() == []

    assert client.ask(type="claim", id=message)["problem"]["code"] == "claim_held"

    assert client.messages(1)[0]["id"] == later


def test_a_claim_takes_the_credit_of_its_offer(server: Server, bob: str) -> None:
    message = offer(server, bob)
    client = Agent(server, bob)
    client.hello(credit=1)
    client.messages(1)
    claimed = client.ask(type="claim", id=message)["message"]
    (later,) = server.send(bob, "later")
    assert client.pushed_meanwhile() == []

    client.about(claimed, "ack")

    assert client.messages(1)[0]["id"] == later


def test_what_another_has_is_not_pushed(server: Server, bob: str, carol: str) -> None:
    message = offer(server, bob, carol)
    claim_elsewhere(server, carol, message)
    (plain,) = server.send(bob, "plain")

    client = Agent(server, bob)

    assert [one["id"] for one in client.messages(1)] == [plain]
    assert client.pushed_meanwhile() == []


def test_a_claim_of_a_connection_without_an_instance_ends_with_it(server: Server, bob: str) -> None:
    message = offer(server, bob)
    client = Agent(server, bob)
    client.hello()
    client.messages(1)
    client.ask(type="claim", id=message)

    client.drop()

    until(lambda: holder(server, message) is None, within=WITHIN, what="the claim is released")


def test_a_claim_of_an_instance_is_resumed(server: Server, bob: str) -> None:
    message = offer(server, bob)
    client = Agent(server, bob)
    client.hello(instance_id="one")
    client.messages(1)
    claimed = client.ask(type="claim", id=message)["message"]
    client.drop()

    again = Agent(server, bob)
    again.hello(instance_id="one")

    (resumed,) = again.messages(1)
    assert (resumed["id"], resumed["lease"]) == (message, claimed["lease"])
    assert again.about(resumed, "ack")["status"] == "acknowledged"
