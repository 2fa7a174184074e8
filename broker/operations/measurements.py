"""What is measured of a station: a snapshot of values, without judgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId
from broker.operations.latency import Histogram
from broker.operations.processes import Role

_S = DeliveryState


@dataclass(frozen=True, kw_only=True)
class InboxDepth:
    """How much stands in one inbox, and since when (ms) its oldest queued message waits."""

    agent_id: AgentId
    queued: int
    leased: int
    waiting: int
    limit: int
    oldest_at: int | None

    @property
    def depth(self) -> int:
        """All unfinished deliveries: what the inbox's limit is about."""
        return self.queued + self.leased + self.waiting

    @property
    def fullness(self) -> float:
        """The depth as a share of the limit."""
        return self.depth / self.limit


@dataclass(frozen=True, kw_only=True)
class Presences:
    """How many agents are present; those that always exist are not counted."""

    online: int
    stale: int
    offline: int

    @property
    def registered(self) -> int:
        """All of them."""
        return self.online + self.stale + self.offline


@dataclass(frozen=True, kw_only=True)
class RedisServer:
    """One Redis server's memory in bytes (a limit of 0 is none), and whether its log is sound."""

    name: str
    used_memory_bytes: int
    max_memory_bytes: int
    append_only: bool
    append_only_ok: bool
    clients: int


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A station at one moment (ms, the server's clock)."""

    at: int
    accepted: int
    delayed: int
    oldest_accepted_at: int | None
    """Since when the oldest message waits to be routed."""
    inboxes: tuple[InboxDepth, ...]
    """Those with something in them, the deepest first."""
    dead_letters: int
    agents: Presences
    totals: Mapping[str, int]
    """How often each event happened, and the latency histogram (keys.counters)."""

    @property
    def states(self) -> dict[DeliveryState, int]:
        """How many deliveries stand in each state; those of final states since the beginning.

        A message that stands in no inbox yet counts once, whomever it goes to.
        """
        return {
            _S.ACCEPTED: self.accepted,
            _S.DELAYED: self.delayed,
            _S.QUEUED: sum(inbox.queued for inbox in self.inboxes),
            _S.LEASED: sum(inbox.leased for inbox in self.inboxes),
            _S.WAITING: sum(inbox.waiting for inbox in self.inboxes),
            _S.ACKNOWLEDGED: self._total("delivery.acknowledged"),
            _S.REPLIED: self._total("delivery.replied"),
            _S.DEAD: self._total("delivery.dead")
            - self._total("dead_letter.retried")
            - self._total("dead_letter.resolved"),
            _S.EXPIRED: self._total("delivery.expired"),
            _S.CANCELLED: self._total("delivery.cancelled") + self._total("message.cancelled"),
            _S.SUPERSEDED: self._total("delivery.superseded") + self._total("message.superseded"),
            _S.DROPPED: self._total("delivery.dropped"),
            _S.UNDELIVERABLE: self._total("message.undeliverable"),
            _S.RESOLVED: self._total("dead_letter.resolved"),
            _S.TAKEN: self._total("delivery.taken"),
            _S.DECLINED: self._total("delivery.declined"),
        }

    @property
    def depth(self) -> int:
        """Unfinished deliveries in all inboxes."""
        return sum(inbox.depth for inbox in self.inboxes)

    @property
    def fullness(self) -> float:
        """That of the fullest inbox."""
        return max((inbox.fullness for inbox in self.inboxes), default=0.0)

    @property
    def oldest_queued_at(self) -> int | None:
        """Since when the oldest message waits in an inbox."""
        return min((inbox.oldest_at for inbox in self.inboxes if inbox.oldest_at), default=None)

    @property
    def latency(self) -> Histogram:
        """The latency of all deliveries since the beginning."""
        return Histogram.from_totals(self.totals)

    def age_ms(self, since: int | None) -> int | None:
        """How long ago `since` was; None for nothing."""
        return None if since is None else max(0, self.at - since)

    def _total(self, event: str) -> int:
        return self.totals.get(event, 0)


@dataclass(frozen=True, kw_only=True)
class Staff:
    """How many processes of each role are alive."""

    alive: Mapping[Role, int]

    def missing(self, wanted: tuple[Role, ...]) -> tuple[Role, ...]:
        """The roles that nobody fills."""
        return tuple(role for role in wanted if not self.alive.get(role))
