"""Watching a real station's events by the client, through drops of the connection."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.client.relay import Relay, relaying
from tests.process.stations import Station as Running
from tests.process.stations import free_port
from tests.waiting import until
from waystation import AsyncStation, Station, UnreachableError
from waystation.errors import InvalidFieldsError
from waystation.transport import Retrying
from waystation.watching import Watch

pytestmark = pytest.mark.client

Pair = tuple[str, str]


@pytest.fixture
def relay(station: Running) -> Iterator[Relay]:
    with relaying(station.port) as relay:
        yield relay


@pytest.fixture
def watcher(relay: Relay) -> Iterator[Station]:
    """The station, as seen through a connection that may drop."""
    with Station(relay.url, retrying=Retrying(seconds=20)) as watcher:
        yield watcher


def accepted(watch: Watch) -> str | None:
    """The message of the next event, which tells of one."""
    event = next(watch)
    assert event.event == "message.accepted"
    assert event.items is not None
    return event.items[0].message_id


def begun(caller: Station, watcher: Station, pair: Pair) -> Watch:
    """A watch of what the first of the pair sends, behind what has happened so far."""
    watch = watcher.events.watch(agent=pair[0], events=["message.accepted"], after="0-0")
    first = caller.messages.send(*pair, "first")
    assert accepted(watch) == first.id
    return watch


def test_what_happens_is_told_as_it_happens(caller: Station, watcher: Station, pair: Pair) -> None:
    with begun(caller, watcher, pair) as watch:
        for number in range(3):
            sent = caller.messages.send(*pair, str(number))

            assert accepted(watch) == sent.id


def test_nothing_is_lost_or_told_twice_where_the_connection_drops(
    caller: Station, watcher: Station, relay: Relay, pair: Pair
) -> None:
    with begun(caller, watcher, pair) as watch:
        sent, told = [], []
        for number in range(5):
            relay.cut()
            sent += [caller.messages.send(*pair, f"{number}{part}").id for part in "ab"]
            told += [accepted(watch), accepted(watch)]

    assert told == sent
    assert relay.accepted > 5


def test_a_station_that_is_away_for_a_while_is_waited_for(
    caller: Station, watcher: Station, relay: Relay, pair: Pair
) -> None:
    with begun(caller, watcher, pair) as watch:
        relay.close()
        sent = caller.messages.send(*pair, "meanwhile")

        with ThreadPoolExecutor() as elsewhere:
            told = elsewhere.submit(accepted, watch)
            until(lambda: relay.refused >= 2, within=20, what="the watcher has tried to come back")
            relay.reopen()

            assert told.result(timeout=20) == sent.id


def test_one_that_stays_away_is_given_up(relay: Relay) -> None:
    relay.close()

    with (
        Station(relay.url, retrying=Retrying(seconds=0.5)) as watcher,
        watcher.events.watch() as watch,
        pytest.raises(UnreachableError),
    ):
        next(watch)


def test_where_nothing_listens_a_watch_is_given_up_as_well() -> None:
    with (
        Station(f"http://127.0.0.1:{free_port()}", retrying=Retrying(seconds=0)) as watcher,
        watcher.events.watch() as watch,
        pytest.raises(UnreachableError),
    ):
        next(watch)


def test_another_watch_goes_on_behind_an_event(caller: Station, pair: Pair) -> None:
    sent = [caller.messages.send(*pair, body).id for body in "123"]
    interest = caller.events.watch(agent=pair[0], events=["message.accepted"], after="0-0")
    with interest as watch:
        first = next(watch)
        assert watch.position == first.id
    assert first.id is not None

    with caller.events.watch(
        agent=pair[0], events=["message.accepted"], after=first.id
    ) as following:
        assert [accepted(following), accepted(following)] == sent[1:]


def test_that_events_may_be_missing_is_told(caller: Station) -> None:
    nowhere = "9999999999999-0"

    with caller.events.watch(after=nowhere) as watch:
        event = next(watch)

    assert (event.event, event.after, event.id) == ("gap", nowhere, None)


def test_without_following_it_ends_with_what_has_happened(caller: Station, pair: Pair) -> None:
    sent = [caller.messages.send(*pair, body).id for body in "123"]

    told = caller.events.watch(agent=pair[0], events=["message.accepted"], follow=False)

    assert [one.items[0].message_id for one in told if one.items] == sent


def test_one_message_and_one_thread_are_watched(caller: Station, pair: Pair) -> None:
    sent = caller.messages.send(*pair, "this")
    caller.messages.send(*pair, "that")

    by_message = caller.events.watch(message=sent.id, events=["message.accepted"], follow=False)
    by_thread = caller.events.watch(
        thread=sent.thread_id, events=["message.accepted"], follow=False
    )

    assert len(list(by_message)) == 1
    assert len(list(by_thread)) == 1


def test_a_watch_that_is_closed_tells_nothing_more(caller: Station, pair: Pair) -> None:
    caller.messages.send(*pair, "this")
    watch = caller.events.watch(after="0-0")
    next(watch)

    watch.close()

    assert list(watch) == []


def test_a_wish_that_is_none_is_refused(caller: Station) -> None:
    with (
        caller.events.watch(after="yesterday") as watch,
        pytest.raises(InvalidFieldsError),
    ):
        next(watch)


def test_the_asynchronous_watch_is_the_same(station: Running, pair: Pair) -> None:
    async def watch() -> None:
        async with AsyncStation(station.url) as caller:
            sent = await caller.messages.send(*pair, "hi")
            async with caller.events.watch(message=sent.id, after="0-0") as watch:
                async for event in watch:
                    assert event.event == "message.accepted"
                    break

    asyncio.run(watch())
