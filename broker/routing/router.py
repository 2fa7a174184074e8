"""Routing: takes accepted messages partition by partition and puts them into inboxes.

Nothing leaves ingress before it stands in its inbox, and every step may be repeated: a router
killed at any point only leaves work for the next.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog

from broker.kernel.clock import Clock
from broker.kernel.ids import AgentId, MessageId, Partition
from broker.messaging.message import Envelope
from broker.routing.engine import Decision
from broker.routing.round import Round, Sources
from broker.routing.store import Batch, RoutingStore
from broker.storage.doorbell import Doorbell

# Messages taken at a time: from one partition, or shared out among several that ring together, so
# that single messages from many senders cost no more trips than many from one.
_BATCH: Final = 500
_TOGETHER: Final = 16
# Records read in one trip: few bodies in memory at a time.
_FETCH: Final = 50
# Deliveries committed in one trip; a broadcast to thousands goes in several.
_COMMIT: Final = 2_000

# A round costs five trips and four flushes to disk, whether it routes one message or hundreds. So
# rounds that catch up with their senders keep this distance, in which more can come together; the
# first one of a drainer does not wait.
_ROUND_SECONDS: Final = 0.004
# Yet it ends in the end, and has a new job sent for what is left: the sweep that waits behind it in
# the same queue must run, and a process that is asked to stop must come to its end.
_LONGEST_SECONDS: Final = 1.0

_log = structlog.get_logger(__name__)

_Deliveries = dict[Partition, dict[AgentId, list[tuple[Envelope, bool]]]]


class Router:
    """Drains the partitions that ring."""

    def __init__(
        self,
        store: RoutingStore,
        doorbell: Doorbell,
        sources: Sources,
        clock: Clock,
        *,
        supersede: Callable[[MessageId], None],
        have_pushed: Callable[[Iterable[Partition]], None],
    ) -> None:
        """`supersede` withdraws a routed message from all who do not hold it; safe to repeat.

        `have_pushed` wakes who pushes to agents of these partitions; it never fails.
        """
        self._store = store
        self._doorbell = doorbell
        self._sources = sources
        self._clock = clock
        self._supersede = supersede
        self._have_pushed = have_pushed

    def drain(self) -> int:
        """Route until no partition has rung for a moment, a second at most; how many messages."""
        token = secrets.token_hex(8)
        end = time.monotonic() + _LONGEST_SECONDS
        routed = 0
        turns: dict[Partition, None] = {}
        began = 0.0
        while time.monotonic() < end:
            if not turns:
                time.sleep(max(0.0, began + _ROUND_SECONDS - time.monotonic()))
            turns |= dict.fromkeys(self._rings(token, patiently=not turns))
            if not turns:
                return routed
            began = time.monotonic()
            routed += self._serve(turns, token)
        self._hand_over(list(turns), token)
        return routed

    def drain_unrung(self) -> int:
        """Route where messages wait and nobody drains, a second at most; how many messages.

        It does without doorbell and jobs, for which a Redis that is out of memory has no room.
        """
        token = secrets.token_hex(8)
        end = time.monotonic() + _LONGEST_SECONDS
        routed = 0
        turns = dict.fromkeys(self._store.idle_partitions_with_work(self._clock()))
        while turns and time.monotonic() < end:
            routed += self._serve(turns, token)
        self._store.leave(list(turns), token)
        return routed

    def sweep(self) -> int:
        """Ring for partitions whose wake-up was lost, or whose delayed messages are due."""
        forgotten = self._store.idle_partitions_with_work(self._clock())
        if forgotten:
            self._doorbell.ring(forgotten)
        return len(forgotten)

    def _rings(self, token: str, *, patiently: bool) -> list[Partition]:
        """The partitions that ring; none, after waiting for some, if this drainer has left."""
        return self._doorbell.listen(token) if patiently else self._doorbell.answer(token)

    def _serve(self, turns: dict[Partition, None], token: str) -> int:
        """Route a batch of the first in turn, who then line up again if more is left in them."""
        group = list(turns)[:_TOGETHER]
        batches = self._store.take(group, token, _BATCH // len(group))
        done = self._route(batches, token)
        drained = self._store.release(done, token)
        for partition in group:
            del turns[partition]
        unfinished = [name for name in batches if name not in drained]
        # Who had no turn, because another's broadcasts took all of this one, comes first.
        turns |= dict.fromkeys(sorted(unfinished, key=done.__contains__))
        return sum(map(len, done.values()))

    def _hand_over(self, unfinished: Sequence[Partition], token: str) -> None:
        """Leave with work undone: have a job sent for it, and for what rings by now."""
        self._store.leave(unfinished, token)
        ringing = self._doorbell.leave(token)
        if remaining := {*unfinished, *ringing}:
            self._doorbell.ring(remaining, token=token)

    def _route(
        self, batches: Mapping[Partition, Batch], token: str
    ) -> dict[Partition, list[MessageId]]:
        """Put the first of these messages into their inboxes; which ones stand there now."""
        decisions, decided = self._decide(batches)
        decisions = self._address(decisions)
        valid_until = min((batch.valid_until for batch in batches.values()), default=0)
        for number, deliveries in enumerate(self._trips(decisions)):
            if number:
                # A large audience takes longer than one hold.
                valid_until = self._store.hold(list(batches), token)
            committed = self._store.commit(deliveries, valid_until)
            if committed is None:
                _log.warning("routing.commit_came_too_late", partitions=sorted(batches))
                return {}
            if committed.to_push:
                self._have_pushed(committed.to_push)
        for message, _ in decisions:
            if message.supersedes:
                # Its own inbox has seen to that; the other one may have gone to somebody else.
                self._supersede(message.supersedes)
        return decided

    def _decide(
        self, batches: Mapping[Partition, Batch]
    ) -> tuple[list[tuple[Envelope, Decision]], dict[Partition, list[MessageId]]]:
        """Decide about as many messages as come to one trip's deliveries, and at least one.

        Hundreds of broadcasts are so released a few at a time, and others have their turn between.
        """
        decisions: list[tuple[Envelope, Decision]] = []
        decided: dict[Partition, list[MessageId]] = defaultdict(list)
        this_round = Round(self._sources)
        waiting = [(partition, name) for partition in batches for name in batches[partition].ids]
        for start in range(0, len(waiting), _FETCH):
            chunk = waiting[start : start + _FETCH]
            envelopes = self._store.envelopes([name for _, name in chunk])
            decided_by_now = this_round.decide(
                [envelopes[name] for _, name in chunk if name in envelopes]
            )
            for partition, name in chunk:
                if this_round.effort >= _COMMIT:
                    return decisions, decided
                decided[partition].append(name)
                # Without a record it reached its verdict long ago, only ingress did not hear.
                if name in envelopes:
                    decisions.append(next(decided_by_now))
        return decisions, decided

    def _address(
        self, decisions: Sequence[tuple[Envelope, Decision]]
    ) -> list[tuple[Envelope, Decision]]:
        """Note the audiences; of a message to several the first decision stands."""
        to_several = [one for one in decisions if not one[1].is_to_one]
        audiences = self._store.address(
            [(message, decision.recipients) for message, decision in to_several], self._clock()
        )
        settled = {
            message.id: replace(decision, recipients=audience)
            for (message, decision), audience in zip(to_several, audiences, strict=True)
        }
        return [(message, settled.get(message.id, decision)) for message, decision in decisions]

    def _trips(self, decisions: Sequence[tuple[Envelope, Decision]]) -> Iterator[_Deliveries]:
        """The deliveries of these messages, in order, as many as go in one trip."""
        deliveries: _Deliveries = defaultdict(lambda: defaultdict(list))
        pending = 0
        for message, decision in decisions:
            for recipient in decision.recipients:
                inbox = deliveries[self._store.keys.partition_for(recipient)][recipient]
                inbox.append((message, recipient in decision.promised))
                pending += 1
                if pending == _COMMIT:
                    yield deliveries
                    deliveries, pending = defaultdict(lambda: defaultdict(list)), 0
        if pending:
            yield deliveries
