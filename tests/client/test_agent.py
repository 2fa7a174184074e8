"""An agent of the Python client at a real station."""

import asyncio

import pytest

from tests.client.conftest import MakeName
from tests.process.stations import Station
from waystation import Agent, AsyncAgent
from waystation.errors import UnknownAgentError

pytestmark = pytest.mark.client


def test_a_message_reaches_the_agent_it_is_for(station: Station, named: MakeName) -> None:
    with (
        Agent(named("alice"), url=station.url) as alice,
        Agent(named("bob"), url=station.url) as bob,
    ):
        sent = alice.send(bob.id, "please review PR 12", priority="high")

        received = bob.receive()

    assert received is not None
    assert (received.id, received.from_, received.body) == (
        sent.id,
        alice.id,
        "please review PR 12",
    )
    assert received.priority == "high"


def test_the_asynchronous_agent_is_the_same(station: Station, named: MakeName) -> None:
    async def talk() -> None:
        async with (
            AsyncAgent(named("alice"), url=station.url) as alice,
            AsyncAgent(named("bob"), url=station.url) as bob,
        ):
            sent = await alice.send(bob.id, "hello")
            received = await bob.receive()

        assert received is not None
        assert received.id == sent.id

    asyncio.run(talk())


def test_a_refusal_is_an_exception_of_its_meaning(station: Station, named: MakeName) -> None:
    with (
        Agent(named("alice"), url=station.url) as alice,
        pytest.raises(UnknownAgentError) as refused,
    ):
        alice.send(named("nobody"), "hello?")

    assert refused.value.status == 404
