"""The delivery pool's work: pushes to many endpoints at once, so that a slow one delays no other.

An RQ job only says where to look. The pushes themselves run in threads of this process and go on
after the job has ended, each for one agent, with the right to push to it (`hold.py`).
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import structlog

from broker.delivery.hold import Hold, HoldKeeper
from broker.delivery.push import Pushing
from broker.delivery.store import Candidate, WebhookStore
from broker.kernel.clock import Clock
from broker.kernel.errors import BrokerError
from broker.kernel.ids import AgentId, Partition
from broker.storage.doorbell import Doorbell

# Pushes at a time. They wait most of the time; endpoints that fail get half of the places, so that
# there are always some for those that work.
_AT_ONCE: Final = 64
_FAILING_AT_ONCE: Final = _AT_ONCE // 2
# A job listens for more rings for this long at most: the sweep behind it must run.
_LONGEST_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)


class Pusher:
    """Pushes what waits in the inboxes of agents with a webhook (SPEC T4)."""

    def __init__(
        self, store: WebhookStore, doorbell: Doorbell, pushing: Pushing, clock: Clock
    ) -> None:
        self._store = store
        self._doorbell = doorbell
        self._pushing = pushing
        self._clock = clock
        self._keeper = HoldKeeper(store.renew)
        self._lock = threading.Condition()
        self._turns: dict[AgentId, tuple[Hold, bool]] = {}
        self._passed_over: set[Partition] = set()
        self._is_ending = False
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="push")

    def push(self) -> int:
        """Begin to push where it rings, and where it rings meanwhile; how many pushes began."""
        token = secrets.token_hex(8)
        end = time.monotonic() + _LONGEST_SECONDS
        begun = 0
        while time.monotonic() < end:
            rung = self._doorbell.listen(token)
            if not rung:
                return begun
            begun += self._look(rung)
        if rung := self._doorbell.leave(token):
            self._doorbell.ring(rung, token=token)
        return begun

    def sweep(self) -> int:
        """Begin to push wherever something waits: retries, and what nobody rang for."""
        return self._look([Partition(number) for number in self._store.keys.all_partitions()])

    def stop(self, within_seconds: float) -> None:
        """End after the requests at hand; what takes longer is given back and comes again."""
        with self._lock:
            self._is_ending = True
            self._keeper.lose_all()
            self._lock.wait_for(lambda: not self._turns, within_seconds)
            unfinished = [hold for hold, _ in self._turns.values()]
        for hold in unfinished:
            self._pushing.take_back(hold.agent)
            self._store.end(hold.agent, hold.token, None)
        self._keeper.end()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _look(self, partitions: Collection[Partition]) -> int:
        candidates = self._store.candidates(partitions, self._clock())
        # Nobody is always the last one for whom there is no place.
        random.shuffle(candidates)
        return sum(self._start(candidate) for candidate in candidates)

    def _start(self, candidate: Candidate) -> bool:
        hold = Hold(candidate.agent)
        with self._lock:
            if self._is_ending:
                return False
            # An agent whose turn is just ending has its next one when it has.
            if candidate.agent in self._turns or not self._has_place_for(candidate):
                self._passed_over.add(self._store.keys.partition_for(candidate.agent))
                return False
            self._turns[candidate.agent] = (hold, candidate.fails)
            self._threads.submit(self._take_turn, hold).add_done_callback(_report)
        return True

    def _has_place_for(self, candidate: Candidate) -> bool:
        failing = sum(fails for _, fails in self._turns.values())
        return len(self._turns) < _AT_ONCE and not (candidate.fails and failing >= _FAILING_AT_ONCE)

    def _take_turn(self, hold: Hold) -> None:
        try:
            look_again = self._push_to(hold)
        finally:
            with self._lock:
                del self._turns[hold.agent]
                waiting, self._passed_over = self._passed_over, set()
                self._lock.notify_all()
        if look_again:
            waiting.add(self._store.keys.partition_for(hold.agent))
        if waiting and not self._is_ending:
            self._look(waiting)

    def _push_to(self, hold: Hold) -> bool:
        """One turn; whether more waits in the inbox."""
        asked_at = time.monotonic()
        begun = self._store.begin(hold.agent, hold.token)
        if begun is None:
            return False
        hold.renewed(asked_at)
        self._keeper.keep(hold)
        if self._is_ending:
            hold.lose()
        try:
            self._pushing.run(begun, hold)
        finally:
            self._keeper.drop(hold)
        return self._store.end(hold.agent, hold.token, hold.succeeded_at) > 0


def _report(turn: Future[None]) -> None:
    """What ends a turn must not vanish with its thread; the sweep begins another."""
    error = None if turn.cancelled() else turn.exception()
    if isinstance(error, BrokerError):
        _log.warning("push.interrupted", error=error.detail)
    elif error is not None:
        _log.error("push.failed", exc_info=error)
