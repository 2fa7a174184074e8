import threading
from collections.abc import Iterable

import pytest

from broker.kernel.aside import Aside
from broker.kernel.ids import Partition

pytestmark = pytest.mark.unit

WITHIN = 5.0


class Bell:
    """A bell that takes as long to ring as the test wants."""

    def __init__(self) -> None:
        self.rung: list[set[Partition]] = []
        self.begins = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)

    def ring(self, partitions: Iterable[Partition]) -> None:
        self.rung.append(set(partitions))
        self.begins.release()
        assert self.may_end.acquire(timeout=WITHIN)

    def wait_for_a_ring(self) -> None:
        assert self.begins.acquire(timeout=WITHIN)


def test_the_caller_does_not_wait_for_the_bell() -> None:
    bell = Bell()
    ringer = Aside("bell-ringer", bell.ring)

    ringer.add([Partition(1)])

    bell.wait_for_a_ring()
    assert bell.rung == [{1}]
    bell.may_end.release()


def test_rings_that_come_meanwhile_go_together() -> None:
    bell = Bell()
    ringer = Aside("bell-ringer", bell.ring)
    ringer.add([Partition(1)])
    bell.wait_for_a_ring()

    ringer.add([Partition(2)])
    ringer.add([Partition(3), Partition(2)])
    bell.may_end.release()

    bell.wait_for_a_ring()
    assert bell.rung == [{1}, {2, 3}]
    bell.may_end.release()


def test_every_ring_is_rung_whoever_asks() -> None:
    rung: set[Partition] = set()
    done = threading.Event()

    def ring(partitions: Iterable[Partition]) -> None:
        rung.update(partitions)
        if len(rung) == 64:
            done.set()

    ringer = Aside("bell-ringer", ring)
    callers = [
        threading.Thread(target=ringer.add, args=([Partition(number)],)) for number in range(64)
    ]

    for caller in callers:
        caller.start()

    assert done.wait(WITHIN)
