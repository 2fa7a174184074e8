"""Group commit: who travels together, what each gets, and what happens when a trip fails."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from broker.kernel.errors import StorageUnavailableError
from broker.storage.group_commit import GroupCommit

_DEADLINE_SECONDS = 10


class _Ferry:
    """A trip that doubles its requests; the first waits at the pier until it is let go."""

    def __init__(self) -> None:
        self.trips: list[list[int]] = []
        self.left = threading.Event()
        self.may_arrive = threading.Event()

    def __call__(self, requests: Sequence[int]) -> list[int]:
        self.trips.append(list(requests))
        if len(self.trips) == 1:
            self.left.set()
            assert self.may_arrive.wait(_DEADLINE_SECONDS)
        if 13 in requests:
            raise ConnectionError("the ferry sank")
        if 99 in requests:
            raise SystemExit("the captain was called away")
        return [2 * request for request in requests]


def _gathered(group: GroupCommit[int, int], count: int) -> None:
    deadline = threading.Event()
    for _ in range(1000):
        if len(group._gathering) == count:
            return
        deadline.wait(0.01)
    pytest.fail(f"{count} callers never gathered")


def test_a_lone_call_travels_alone_and_at_once() -> None:
    group = GroupCommit[int, int](lambda requests: [2 * request for request in requests])

    assert group.send([1, 2]) == [2, 4]


def test_calls_that_come_during_a_trip_share_the_next() -> None:
    ferry = _Ferry()
    group = GroupCommit[int, int](ferry)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(group.send, [1])
        assert ferry.left.wait(_DEADLINE_SECONDS)
        others = [pool.submit(group.send, [number, number + 100]) for number in range(2, 7)]
        _gathered(group, 5)
        ferry.may_arrive.set()

        assert first.result(_DEADLINE_SECONDS) == [2]
        assert [other.result(_DEADLINE_SECONDS) for other in others] == [
            [2 * number, 2 * number + 200] for number in range(2, 7)
        ]
    assert len(ferry.trips) == 2


def test_a_trip_takes_no_more_than_it_may_hold() -> None:
    ferry = _Ferry()
    group = GroupCommit[int, int](ferry, largest=4)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(group.send, [1])
        assert ferry.left.wait(_DEADLINE_SECONDS)
        others = [pool.submit(group.send, [2, 3, 4]) for _ in range(3)]
        _gathered(group, 3)
        ferry.may_arrive.set()

        assert all(other.result(_DEADLINE_SECONDS) == [4, 6, 8] for other in others)
        assert first.result(_DEADLINE_SECONDS) == [2]
    assert [len(trip) for trip in ferry.trips] == [1, 3, 3, 3]


def test_a_failed_trip_fails_its_own_callers_only() -> None:
    ferry = _Ferry()
    group = GroupCommit[int, int](ferry, largest=1)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(group.send, [1])
        assert ferry.left.wait(_DEADLINE_SECONDS)
        doomed = pool.submit(group.send, [13])
        _gathered(group, 1)
        later = pool.submit(group.send, [3])
        _gathered(group, 2)
        ferry.may_arrive.set()

        assert first.result(_DEADLINE_SECONDS) == [2]
        with pytest.raises(ConnectionError, match="sank"):
            doomed.result(_DEADLINE_SECONDS)
        assert later.result(_DEADLINE_SECONDS) == [6]
    assert group.send([4]) == [8]


def test_many_callers_each_get_their_own_replies() -> None:
    group = GroupCommit[int, int](lambda requests: [2 * request for request in requests])

    with ThreadPoolExecutor(32) as pool:
        replies = list(pool.map(lambda number: group.send([number, -number]), range(2000)))

    assert replies == [[2 * number, -2 * number] for number in range(2000)]


def test_a_leader_that_is_interrupted_does_not_take_the_others_along() -> None:
    ferry = _Ferry()
    group = GroupCommit[int, int](ferry)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(group.send, [1])
        assert ferry.left.wait(_DEADLINE_SECONDS)
        leader = pool.submit(group.send, [99])
        _gathered(group, 1)
        other = pool.submit(group.send, [2])
        _gathered(group, 2)
        ferry.may_arrive.set()

        assert first.result(_DEADLINE_SECONDS) == [2]
        assert isinstance(leader.exception(_DEADLINE_SECONDS), SystemExit)
        assert isinstance(other.exception(_DEADLINE_SECONDS), StorageUnavailableError)
    assert group.send([3]) == [6]
