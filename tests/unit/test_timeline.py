"""The streams of all partitions as one: whole, in order, and found again from any position."""

import bisect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.operations.timeline import Event, Item, Position, Progress, Reading

pytestmark = pytest.mark.unit

PARTITIONS = 3
LIMIT = 2

# What was written: at which ms, and to which partition. Many at once make ties.
writes = st.lists(st.tuples(st.integers(0, 6), st.integers(0, PARTITIONS - 1)), max_size=40)


def streams_of(written: list[tuple[int, int]]) -> list[list[Event]]:
    """The streams as Redis would number them, in the order of time."""
    streams: list[list[Event]] = [[] for _ in range(PARTITIONS)]
    for ms, partition in sorted(written, key=lambda write: write[0]):
        stream = streams[partition]
        seq = stream[-1].position.seq + 1 if stream and stream[-1].position.ms == ms else 0
        stream.append(
            Event(position=Position(ms, seq, partition), name="x", items=(Item(other_id=str(ms)),))
        )
    return streams


def read(streams: list[list[Event]], progress: Progress, now: list[int]) -> list[Reading]:
    """What Redis holds when each partition's server has its own `now`."""
    readings = []
    for stream, start, time in zip(streams, progress.starts, now, strict=True):
        there = [event for event in stream if event.position.ms <= time]
        first = bisect.bisect_left(there, start, key=lambda event: event.position[:2])
        found = there[first : first + LIMIT]
        readings.append(Reading(now=time, events=tuple(found), more=len(found) == LIMIT))
    return readings


def everything(streams: list[list[Event]]) -> list[Event]:
    return sorted((event for stream in streams for event in stream), key=lambda e: e.position)


def follow(
    streams: list[list[Event]], progress: Progress, clocks: list[list[int]]
) -> tuple[list[Event], Progress]:
    """Read again and again while the clocks go on, and then until nothing is left."""
    told: list[Event] = []
    for now in [*clocks, *[[100] * PARTITIONS] * 60]:
        found, progress = progress.over(read(streams, progress, now))
        told += found
    return told, progress


clock_runs = st.lists(
    st.lists(st.integers(0, 8), min_size=PARTITIONS, max_size=PARTITIONS), max_size=8
).map(lambda runs: [list(now) for now in zip(*map(sorted, zip(*runs, strict=True)), strict=True)])


@given(writes, clock_runs)
def test_every_event_is_told_once_and_in_order_however_the_clocks_differ(
    written: list[tuple[int, int]], clocks: list[list[int]]
) -> None:
    streams = streams_of(written)

    told, end = follow(streams, Progress.behind(Position(0, 0), PARTITIONS), clocks)

    assert told == everything(streams)
    assert Position.parse(str(end.end.before)) == end.end.before


@given(writes, clock_runs, st.data())
def test_what_follows_any_event_is_found_again(
    written: list[tuple[int, int]], clocks: list[list[int]], data: st.DataObject
) -> None:
    streams = streams_of(written)
    told, end = follow(streams, Progress.behind(Position(0, 0), PARTITIONS), clocks)
    seen = data.draw(st.integers(0, len(told)))
    last = told[seen - 1].position if seen else Position(0, 0)

    again: list[Event] = []
    progress = Progress.behind(last, PARTITIONS)
    while progress.end < end.end:
        found, progress = progress.over(read(streams, progress, [100] * PARTITIONS), until=end.end)
        again += found

    assert again == told[seen:]


@given(st.integers(0, 10**13), st.integers(0, 10**6), st.none() | st.integers(0, 1023))
def test_a_position_survives_being_written_down(ms: int, seq: int, partition: int | None) -> None:
    position = Position(ms, seq) if partition is None else Position(ms, seq, partition)

    assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "text", ["", "1", "1-", "-1-2", "1-2-", "1-2-3-4", "1-2-x", "\u0661-2-3", "1-2 ", f"{10**20}-1"]
)
def test_what_is_no_position_is_seen_as_none(text: str) -> None:
    assert Position.parse(text) is None


def test_events_of_a_clock_that_was_set_back_are_told_at_once() -> None:
    late = Event(position=Position(900, 0, 0), name="x", items=())
    early = Event(position=Position(100, 0, 1), name="x", items=())
    _, progress = Progress.behind(Position(0, 0), 2).over(
        [Reading(now=1000, events=(late,)), Reading(now=1000)]
    )

    told, _ = progress.over([Reading(now=110), Reading(now=110, events=(early,))])

    assert told == [early]
