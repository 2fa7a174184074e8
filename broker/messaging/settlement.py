"""What time does to messages: ended leases, waits, lives and retentions.

Each pass is safe to repeat and to run beside another; it is bounded, and says how much it did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import structlog

from broker.kernel.clock import Clock
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId, Partition
from broker.messaging.claim_ends import ClaimEnds, Told
from broker.messaging.dead_letters import DeadLetters
from broker.messaging.inbox_store import InboxStore
from broker.messaging.policy import MessagePolicy
from broker.messaging.record_store import RecordStore
from broker.messaging.verdict_store import VerdictStore

_AGENTS: Final = 200
_PER_INBOX: Final = 200
_VERDICTS: Final = 500
_LETTERS: Final = 100
_HISTORY: Final = 500

# A receipt leaves this much after its record, so that a routing that took the record just before
# it left still finds the receipt. Longer than a drainer may hold a batch.
_RECEIPT_MARGIN_MS: Final = 10_000

_log = structlog.get_logger(__name__)


class _Verdict(NamedTuple):
    """An entry of the outbox; `awaited_until` (ms) is until when the reply to a ticket is."""

    state: DeliveryState
    awaited_until: int
    message: MessageId
    agent: AgentId

    @property
    def closes(self) -> bool:
        """Whether the case is closed: a dead letter may yet be retried."""
        return self.state is not DeliveryState.DEAD


class Settlement:
    """Lets what came due happen (SPEC M6, M9, M17, D1)."""

    def __init__(
        self,
        records: RecordStore,
        inboxes: InboxStore,
        verdicts: VerdictStore,
        dead_letters: DeadLetters,
        claims: ClaimEnds,
        *,
        policy: MessagePolicy,
        clock: Clock,
    ) -> None:
        self._records = records
        self._inboxes = inboxes
        self._verdicts = verdicts
        self._policy = policy
        self._dead_letters = dead_letters
        self._claims = claims
        self._clock = clock

    def sweep(self) -> int:
        """Settle every inbox in which something has come due, and conclude every verdict."""
        done = 0
        for partition, work in self._inboxes.due().items():
            if work.set_back:
                _log.warning("settlement.clock_was_set_back", partition=partition)
                self._inboxes.shift(partition)
            if work.alarms:
                done += self._settle(partition, work.now)
            # What came due may have brought verdicts, and a claim that ended is waited for.
            if work.verdicts or work.alarms:
                done += self._conclude(partition)
            if work.claims:
                done += self._claims.settle(partition, work.now)
            if work.letters:
                done += self._dead_letters.retry_due(partition, work.now, _LETTERS)
        return done

    def trim(self) -> int:
        """Let dead letters and listing entries leave whose time has passed."""
        trimmed = 0
        for number in self._inboxes.keys.all_partitions():
            partition = Partition(number)
            trimmed += self._inboxes.trim_dead(partition, _LETTERS)
            trimmed += self._trim_history(partition)
        return trimmed

    def _settle(self, partition: Partition, now: int) -> int:
        agents = self._inboxes.due_agents(partition, now, _AGENTS)
        for agent in agents:
            while self._inboxes.move("settle", agent, {"limit": _PER_INBOX}).values[0]:
                pass
        return len(agents)

    def _conclude(self, partition: Partition) -> int:
        """Tell the senders' side first, then strike off: a crash between only repeats it."""
        total = 0
        while entries := self._verdicts.concluded(partition, _VERDICTS):
            told = {entry: _claim_told(entry) for entry in entries}
            self._hear(partition, {entry: claim for entry, claim in told.items() if claim})
            self._tell(partition, [entry for entry, claim in told.items() if claim is None])
            total += len(entries)
            if len(entries) < _VERDICTS:
                break
        return total

    def _tell(self, partition: Partition, entries: Sequence[str]) -> None:
        """Tell the senders' sides of verdicts."""
        verdicts = [_parsed(entry) for entry in entries]
        records_left = self._verdicts.conclude(
            [(one.message, one.agent, self._retention(one), one.closes) for one in verdicts]
        )
        self._verdicts.forget(
            partition,
            [
                (entry, one.agent, left + _RECEIPT_MARGIN_MS)
                for entry, one, left in zip(entries, verdicts, records_left, strict=True)
            ],
        )

    def _hear(self, partition: Partition, told: Mapping[str, Told]) -> None:
        """Tell the senders' sides, and all to whom their messages were offered, of claims."""
        if told:
            self._claims.hear(list(told.values()))
            self._verdicts.strike(partition, list(told))

    def _retention(self, verdict: _Verdict) -> int:
        if not verdict.closes:
            return self._policy.dead_letter_retention_ms
        return max(self._policy.retention_ms, verdict.awaited_until - self._clock())

    def _trim_history(self, partition: Partition) -> int:
        """Strike ids off the listing whose record has left."""
        key = self._records.keys.history(partition)
        oldest = self._clock() - self._policy.retention_ms
        trimmed = start = 0
        while True:
            names = self._records.redis.command(
                "ZRANGEBYSCORE", key, "-inf", oldest, "LIMIT", start, _HISTORY
            )
            if not names:
                return trimmed
            stored = self._records.redis.commands(
                [("EXISTS", self._records.keys.message(MessageId(name.decode()))) for name in names]
            )
            gone = [name for name, there in zip(names, stored, strict=True) if not there]
            if gone:
                self._records.redis.command("ZREM", key, *gone)
            trimmed += len(gone)
            start += len(names) - len(gone)
            if len(names) < _HISTORY:
                return trimmed


def _parsed(entry: str) -> _Verdict:
    verdict, message, agent = entry.split(" ")
    state, _, awaited_until = verdict.partition(":")
    return _Verdict(
        state=DeliveryState(state),
        awaited_until=int(awaited_until or 0),
        message=MessageId(message),
        agent=AgentId(agent),
    )


def _claim_told(entry: str) -> Told | None:
    kind, message, agent = entry.split(" ")
    return Told.of(kind, MessageId(message), AgentId(agent))
