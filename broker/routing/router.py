"""Routing: takes accepted messages partition by partition and puts them into inboxes.

Nothing leaves ingress before it stands in its inbox, and every step may be repeated: a router
killed at any point only leaves work for the next.
"""

from __future__ import annotations

import secrets
from collections import defaultdict
from typing import Final

import structlog

from broker.kernel.clock import Clock
from broker.kernel.ids import AgentId, Partition
from broker.messaging.message import Envelope
from broker.routing.engine import RoutingContext, decide
from broker.routing.store import Batch, RoutingStore
from broker.storage.doorbell import Doorbell

_BATCH: Final = 500
# Deliveries committed in one trip; a broadcast to thousands goes in several.
_COMMIT: Final = 2_000

_log = structlog.get_logger(__name__)

_Deliveries = dict[Partition, dict[AgentId, list[tuple[Envelope, bool]]]]


class Router:
    """Drains the partitions that ring."""

    def __init__(
        self, store: RoutingStore, doorbell: Doorbell, context: RoutingContext, clock: Clock
    ) -> None:
        self._store = store
        self._doorbell = doorbell
        self._context = context
        self._clock = clock

    def drain(self) -> int:
        """Route until no partition rings; how many messages. A batch of each in turn.

        Who rings meanwhile joins the next round: a busy partition may never come to an end.
        """
        token = secrets.token_hex(8)
        routed = 0
        turns = self._doorbell.answer()
        while turns:
            busy = set()
            for partition in turns:
                batch = self._store.take(partition, token, _BATCH)
                if batch is not None:
                    routed += self._route(partition, batch, token)
                    busy.add(partition)
            turns = sorted(busy.union(self._doorbell.answer()))
        return routed

    def sweep(self) -> int:
        """Ring for partitions whose wake-up was lost, or whose delayed messages are due."""
        forgotten = self._store.idle_partitions_with_work(self._clock())
        if forgotten:
            self._doorbell.ring(forgotten)
        return len(forgotten)

    def _route(self, partition: Partition, batch: Batch, token: str) -> int:
        envelopes = self._store.envelopes(batch.ids)
        deliveries: _Deliveries = defaultdict(lambda: defaultdict(list))
        pending = 0
        valid_until = batch.valid_until
        for name in batch.ids:
            message = envelopes.get(name)
            if message is None:
                # Its record has left: it reached its verdict long ago, only ingress did not hear.
                continue
            decision = decide(message, self._context)
            if len(decision.recipients) != 1 or not decision.promised:
                self._store.address(message, decision.recipients, self._clock())
            for recipient in decision.recipients:
                place = deliveries[self._store.keys.partition_for(recipient)][recipient]
                place.append((message, decision.promised))
                pending += 1
                if pending >= _COMMIT:
                    if not self._commit(partition, deliveries, valid_until):
                        return 0
                    deliveries.clear()
                    pending = 0
                    # A large audience takes longer than one hold.
                    valid_until = self._store.hold(partition, token)
        if not self._commit(partition, deliveries, valid_until):
            return 0
        self._store.release(partition, batch.ids)
        return len(batch.ids)

    def _commit(self, partition: Partition, deliveries: _Deliveries, valid_until: int) -> bool:
        committed = self._store.commit(deliveries, valid_until)
        if not committed:
            _log.warning("routing.commit_came_too_late", partition=partition)
        return committed
