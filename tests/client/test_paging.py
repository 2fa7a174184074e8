"""Walking through all the pages of a list, at a real station."""

import asyncio

import pytest

from tests.client.conftest import MakeName
from tests.process.stations import Station as Running
from waystation import AsyncStation, Station, async_each, each
from waystation.errors import ThreadNotFoundError

pytestmark = pytest.mark.client


def test_all_pages_of_a_list_are_walked_through(caller: Station, named: MakeName) -> None:
    names = [named(f"pooled{number}") for number in range(5)]
    for name in names:
        caller.agents.register(name, tags=[named("pool")])

    found = list(each(caller.agents.list, tag=named("pool"), limit=2))

    assert [one.id for one in found] == names


def test_a_page_is_asked_for_when_it_is_needed(caller: Station, named: MakeName) -> None:
    walk = each(caller.threads.get, named("no-thread"))

    with pytest.raises(ThreadNotFoundError):
        next(walk)


def test_a_list_that_begins_with_an_id_is_walked_through(caller: Station, named: MakeName) -> None:
    alice, bob = named("alice"), named("bob")
    caller.agents.register(alice)
    caller.agents.register(bob)
    first = caller.messages.send(alice, bob, "1")
    for body in "2345":
        caller.messages.send(alice, bob, body, thread_id=first.thread_id)

    said = [one.body for one in each(caller.threads.get, first.thread_id, limit=2)]

    assert said == list("12345")


def test_the_asynchronous_walk_is_the_same(station: Running, named: MakeName) -> None:
    names = [named(f"other{number}") for number in range(3)]

    async def walk() -> list[str]:
        async with AsyncStation(station.url) as caller:
            for name in names:
                await caller.agents.register(name, tags=[named("others")])
            listed = async_each(caller.agents.list, tag=named("others"), limit=1)
            return [one.id async for one in listed]

    assert asyncio.run(walk()) == names
