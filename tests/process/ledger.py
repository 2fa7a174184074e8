"""What senders were promised and what consumers saw, and the verdict on both."""

import dataclasses
import itertools
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator


@dataclasses.dataclass(frozen=True, kw_only=True)
class Promise:
    """A message that a sender was told is on disk; `sent_at` is when it was first tried."""

    id: str
    sender: str
    to: tuple[str, ...]
    priority: str
    sent_at: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Delivery:
    """A message in a consumer's hands."""

    id: str
    recipient: str
    consumer: str
    attempt: int


Copy = tuple[str, str]
"""A message's id and one of its recipients."""


class Ledger:
    """Every 202, every delivery, every acknowledgement that was confirmed; safe among threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._promises: dict[str, Promise] = {}
        self._open: set[Copy] = set()
        self._acknowledged: dict[Copy, Delivery] = {}
        self._deliveries: list[Delivery] = []
        self._latest: dict[tuple[str, str], float] = {}
        self.answers: Counter[tuple[str, int, str]] = Counter()
        """What callers were answered: what they did, the status (0: nobody answered), the code."""

    # --- what happens -----------------------------------------------------------------------

    def answered(self, action: str, status: int, code: str = "") -> None:
        """Note an answer, or with status 0 that there was none."""
        with self._lock:
            self.answers[action, status, code] += 1

    def promised(self, promise: Promise) -> None:
        """Note an accepted message."""
        with self._lock:
            self._promises[promise.id] = promise
            # A consumer may have been faster than the sender's answer.
            self._open.update(set(_copies(promise)) - self._acknowledged.keys())
            self._note_progress(promise)

    def delivered(self, deliveries: Iterable[Delivery]) -> None:
        """Note messages that a consumer got."""
        with self._lock:
            self._deliveries += deliveries

    def acknowledged(self, delivery: Delivery) -> None:
        """Note an acknowledgement that the station has confirmed."""
        copy = delivery.id, delivery.recipient
        with self._lock:
            self._acknowledged[copy] = delivery
            self._open.discard(copy)
            if delivery.id in self._promises:
                self._note_progress(self._promises[delivery.id])

    def _note_progress(self, promise: Promise) -> None:
        for copy in _copies(promise):
            if copy in self._acknowledged:
                pair = promise.sender, copy[1]
                self._latest[pair] = max(self._latest.get(pair, 0), promise.sent_at)

    # --- what is asked while it happens -----------------------------------------------------

    @property
    def promises(self) -> list[Promise]:
        """All of them, in the order of the answers."""
        with self._lock:
            return list(self._promises.values())

    def open_copies(self) -> set[Copy]:
        """What was promised and has not been acknowledged yet."""
        with self._lock:
            return set(self._open)

    def has_flowed_since(self, moment: float, pairs: Iterable[tuple[str, str]]) -> bool:
        """Whether each sender's message to each recipient, sent since then, is acknowledged."""
        with self._lock:
            return all(self._latest.get(pair, 0) > moment for pair in pairs)

    # --- the verdict ------------------------------------------------------------------------

    def faults(self, dead: Iterable[Copy]) -> list[str]:
        """Say what went wrong; `dead` are the copies among the dead letters."""
        with self._lock:
            return [
                *(f"lost: {copy}" for copy in sorted(self._open - set(dead))),
                *self._came_back(),
                *self._delivered_twice(),
                *self._never_promised(),
                *self._out_of_order(),
            ]

    def _came_back(self) -> Iterator[str]:
        """Only the last lease can be acknowledged, so that no higher attempt may exist."""
        for one in self._deliveries:
            done = self._acknowledged.get((one.id, one.recipient))
            if done is not None and one.attempt > done.attempt:
                yield f"came back after its acknowledgement: {one}"

    def _delivered_twice(self) -> Iterator[str]:
        times = Counter((one.id, one.recipient, one.attempt) for one in self._deliveries)
        return (f"delivered {count} times: {one}" for one, count in times.items() if count > 1)

    def _never_promised(self) -> Iterator[str]:
        for one in {one.id: one for one in self._deliveries}.values():
            if one.id not in self._promises:
                yield f"delivered, though nobody was promised it: {one}"

    def _out_of_order(self) -> Iterator[str]:
        """First deliveries come in the order in which they were accepted, sender by sender.

        What came again after a lost lease is late by nature. Who shares an inbox sees a part of it.
        """
        rank = {identifier: number for number, identifier in enumerate(self._promises)}
        seen: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
        for one in self._deliveries:
            promise = self._promises.get(one.id)
            if promise is not None and one.attempt == 1:
                line = promise.sender, one.recipient, promise.priority, one.consumer
                seen[line].append(one.id)
        for line, ids in seen.items():
            for earlier, later in itertools.pairwise(ids):
                if rank[earlier] > rank[later]:
                    yield f"out of order for {line}: {earlier} came before {later}"


def now() -> float:
    """The clock of `Promise.sent_at`."""
    return time.monotonic()


def _copies(promise: Promise) -> Iterator[Copy]:
    return ((promise.id, recipient) for recipient in promise.to)
