"""Inboxes: leasing messages, and finishing, returning or keeping what was leased."""

from __future__ import annotations

import dataclasses
import random
import secrets
import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

from broker.kernel.errors import BrokerError, FieldProblem, InvalidFieldsError
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, LeaseToken, MessageId
from broker.kernel.priority import order_limit
from broker.messaging.arrivals import Arrivals
from broker.messaging.delivery import Acknowledgement, Delivered, Lease, Rejected, Wanted
from broker.messaging.inbox_store import InboxStore
from broker.messaging.message import Message, Unpacked, unpack
from broker.messaging.offers import Offers
from broker.messaging.policy import MessagePolicy
from broker.messaging.record_store import RecordStore
from broker.messaging.refusals import Refusals, refusal
from broker.storage.scripts import Outcome, whole

# An arrival may be announced while its listener is reconnecting: look again at least this often.
_RECHECK_SECONDS: Final = 5.0
_SCAN: Final = 200
_RETURN_AT_ONCE: Final = 200
_ACKNOWLEDGE_AT_ONCE: Final = 500
_HELD_AT_MOST: Final = 10_000


class Inboxes:
    """The recipients' side of the queue (SPEC M5-M8, T1)."""

    def __init__(
        self,
        records: RecordStore,
        store: InboxStore,
        policy: MessagePolicy,
        arrivals: Arrivals,
        *,
        refusals: Refusals,
        offers: Offers,
    ) -> None:
        self._records = records
        self._store = store
        self._policy = policy
        self._arrivals = arrivals
        self._refusals = refusals
        self._offers = offers
        self._random = random.SystemRandom()

    def lease(
        self,
        agent: AgentId,
        wanted: Wanted,
        *,
        lease_ms: int | None = None,
        wait_seconds: float = 0,
        epoch: int | None = None,
        holder: str = "",
        stop: threading.Event | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> list[Delivered]:
        """Hand out the first messages, waiting for one if there is none.

        Raises `UnknownAgentError`, `StaleEpochError`; `InvalidFieldsError` for a lease that is
        longer than the station gives. `stop` ends the wait early; `check` raises what ends it where
        the reader may read no longer.
        """
        self._check_length(lease_ms, "lease_seconds")
        if wait_seconds <= 0:
            return self._lease_now(agent, wanted, lease_ms, epoch, holder)
        deadline = time.monotonic() + wait_seconds
        while True:
            with self._arrivals.watch(agent) as arrival:
                delivered = self._lease_now(agent, wanted, lease_ms, epoch, holder)
                remaining = deadline - time.monotonic()
                if delivered or remaining <= 0 or (stop is not None and stop.is_set()):
                    return delivered
                arrival.wait(min(remaining, _RECHECK_SECONDS))
            check()

    def _lease_now(
        self,
        agent: AgentId,
        wanted: Wanted,
        lease_ms: int | None,
        epoch: int | None,
        holder: str,
    ) -> list[Delivered]:
        delivered: list[Delivered] = []
        while True:
            missing = dataclasses.replace(wanted, limit=wanted.limit - len(delivered))
            leased = self._lease_first(agent, missing, lease_ms, epoch, holder)
            delivered += (found := self._offers.open_to(agent, leased))
            # Offers that another has claimed make room for what stands behind them.
            if len(found) == len(leased) or len(delivered) >= wanted.limit:
                return delivered

    def _lease_first(
        self,
        agent: AgentId,
        wanted: Wanted,
        lease_ms: int | None,
        epoch: int | None,
        holder: str,
    ) -> list[Delivered]:
        chosen: list[MessageId] = []
        if wanted.kinds:
            chosen = [shown.message.id for shown in self.peek(agent, wanted)]
        outcome = self._store.move(
            "lease",
            agent,
            {
                # Where nothing was chosen, the call still renews the session and settles the inbox.
                "limit": 0 if wanted.kinds and not chosen else wanted.limit,
                "below": order_limit(wanted.min_priority),
                "lease_ms": lease_ms or self._policy.lease_ms,
                "seed": secrets.token_hex(6),
                "epoch": "" if epoch is None else epoch,
                "holder": holder,
            },
            chosen,
        )
        self._refusals.refuse(agent, outcome)
        return self._delivered(agent, _leases(outcome))

    def held(self, agent: AgentId, holder: str, *, epoch: int | None = None) -> list[Delivered]:
        """What `holder` has on lease, in the order of the inbox: the tokens are the ones it got.

        Raises `UnknownAgentError`, `StaleEpochError`.
        """
        outcome = self._store.move(
            "held",
            agent,
            {"holder": holder, "epoch": "" if epoch is None else epoch, "limit": _HELD_AT_MOST},
        )
        self._refusals.refuse(agent, outcome)
        return self._offers.open_to(agent, self._delivered(agent, _leases(outcome)))

    def _delivered(self, agent: AgentId, leases: Sequence[Lease]) -> list[Delivered]:
        records = self._records.read([lease.message_id for lease in leases])
        delivered = []
        for lease, message in zip(leases, records, strict=True):
            if message is None:
                self._bury_without_record(agent, lease)
            else:
                delivered.append(Delivered(message=message, lease=lease, attempt=lease.attempt))
        return delivered

    def peek(self, agent: AgentId, wanted: Wanted) -> list[Delivered]:
        """Show the first messages that could be leased, without leasing them."""
        shown: list[Delivered] = []
        start = 0
        while len(shown) < wanted.limit:
            ids = [
                MessageId(name.decode())
                for name in self._store.redis.command(
                    "ZRANGEBYSCORE",
                    self._store.keys.inbox(agent),
                    "-inf",
                    f"({order_limit(wanted.min_priority)}",
                    "LIMIT",
                    start,
                    _SCAN,
                )
            ]
            if not ids:
                break
            start += _SCAN
            packed = self._store.deliveries([(identifier, agent) for identifier in ids])
            found = [
                Delivered(message=message, lease=None, attempt=unpack(delivery)[2])
                for message, delivery in zip(self._records.read(ids), packed, strict=True)
                if message is not None and delivery is not None and _matches(message, wanted)
            ]
            shown += self._offers.shown_to(agent, found)
        if not shown:
            self._require_agent(agent)
        return shown[: wanted.limit]

    def acknowledge(
        self, agent: AgentId, message: MessageId, token: LeaseToken, *, epoch: int | None = None
    ) -> None:
        """Finish a leased message for good. Raises `StaleLeaseError`, `MessageNotFoundError`."""
        result = self.acknowledge_many(
            agent, [Acknowledgement(message_id=message, token=token)], epoch=epoch
        )[0]
        if result is not None:
            raise result

    def acknowledge_many(
        self, agent: AgentId, done: Sequence[Acknowledgement], *, epoch: int | None = None
    ) -> list[BrokerError | None]:
        """Finish many; None for each that is finished, in order, else what refused it."""
        results: list[BrokerError | None] = []
        for start in range(0, len(done) or 1, _ACKNOWLEDGE_AT_ONCE):
            chunk = done[start : start + _ACKNOWLEDGE_AT_ONCE]
            outcome = self._store.move(
                "acknowledge",
                agent,
                {"epoch": "" if epoch is None else epoch},
                [text for one in chunk for text in (one.message_id, one.token)],
            )
            self._refusals.refuse(agent, outcome)
            results += [
                refusal(verdict.decode() if isinstance(verdict, bytes) else "", one.message_id)
                for verdict, one in zip(outcome.values, chunk, strict=True)
            ]
        return results

    def reject(
        self,
        agent: AgentId,
        message: MessageId,
        token: LeaseToken,
        *,
        reason: str = "",
        delay_ms: int | None = None,
        permanent: bool = False,
        epoch: int | None = None,
    ) -> Rejected:
        """Give a leased message back (a negative acknowledgement): retry later, or let it die.

        Without `delay_ms` the wait is exponential with full jitter (SPEC M8). Raises
        `StaleLeaseError`, `MessageNotFoundError`.
        """
        outcome = self._store.move(
            "reject",
            agent,
            {
                "epoch": "" if epoch is None else epoch,
                "id": message,
                "token": token,
                "reason": reason,
                "delay_ms": "" if delay_ms is None else delay_ms,
                "permanent": int(permanent),
                "jitter": self._random.random(),
            },
        )
        self._refusals.refuse(agent, outcome, message)
        return Rejected(
            state=DeliveryState(outcome.name),
            next_attempt_at=whole(outcome.values[0]) if outcome.name == "waiting" else None,
        )

    def extend(
        self,
        agent: AgentId,
        message: MessageId,
        token: LeaseToken,
        *,
        lease_ms: int,
        epoch: int | None = None,
    ) -> int:
        """Let a lease end `lease_ms` from now; when that is.

        Raises `StaleLeaseError`; `InvalidFieldsError` as `lease` does.
        """
        self._check_length(lease_ms, "seconds")
        outcome = self._store.move(
            "extend",
            agent,
            {
                "epoch": "" if epoch is None else epoch,
                "id": message,
                "token": token,
                "lease_ms": lease_ms,
            },
        )
        self._refusals.refuse(agent, outcome, message)
        return whole(outcome.values[0])

    def mark_read(self, agent: AgentId, message: MessageId, *, epoch: int | None = None) -> int:
        """Note that the recipient has read a message; when it first did."""
        outcome = self._store.move(
            "mark_read", agent, {"epoch": "" if epoch is None else epoch, "id": message}
        )
        self._refusals.refuse(agent, outcome, message)
        return whole(outcome.values[0])

    def give_back(self, agent: AgentId, held: Collection[Acknowledgement]) -> int:
        """Return these leases at once, attempts uncounted: their consumer never worked on them."""
        arguments = [text for one in held for text in (one.message_id, one.token)]
        if not arguments:
            return 0
        outcome = self._store.move(
            "return_leases", agent, {"limit": 0, "counted": 0, "silent_ms": ""}, arguments
        )
        return whole(outcome.values[0])

    def return_all(self, agent: AgentId, *, silent_ms: int | None = None) -> int:
        """Return every lease of an agent whose session has ended (SPEC R8, R9); how many.

        With `silent_ms` none, if the agent has given a sign of life since then after all.
        """
        total = 0
        while True:
            outcome = self._store.move(
                "return_leases",
                agent,
                {
                    "limit": _RETURN_AT_ONCE,
                    "counted": 1,
                    "silent_ms": "" if silent_ms is None else silent_ms,
                },
            )
            returned = whole(outcome.values[0])
            total += returned
            if returned < _RETURN_AT_ONCE:
                return total

    def bury_all(self, agent: AgentId) -> int:
        """Turn what waits for a deleted agent into dead letters; how many."""
        total = 0
        while True:
            outcome = self._store.move("bury_all", agent, {"limit": _RETURN_AT_ONCE})
            buried = whole(outcome.values[0])
            total += buried
            if buried < _RETURN_AT_ONCE:
                return total

    # --- refusals ---------------------------------------------------------------------------

    def _check_length(self, lease_ms: int | None, field: str) -> None:
        longest = self._policy.max_lease_ms
        if lease_ms is not None and lease_ms > longest:
            message = f"must be at most {longest / 1000:g} seconds"
            raise InvalidFieldsError([FieldProblem(field=field, message=message)])

    def _require_agent(self, agent: AgentId) -> None:
        if not self._store.redis.command("EXISTS", self._store.keys.agent(agent)):
            self._refusals.unknown(agent)

    def _bury_without_record(self, agent: AgentId, lease: Lease) -> None:
        """A record can only be missing when Redis lost it; say so where operators look."""
        self.reject(
            agent,
            lease.message_id,
            lease.token,
            reason="the message's record is missing from Redis",
            permanent=True,
        )


def _matches(message: Message, wanted: Wanted) -> bool:
    return not wanted.kinds or message.kind in wanted.kinds


def _leases(outcome: Outcome) -> list[Lease]:
    return [
        Lease(
            message_id=MessageId(identifier),
            token=LeaseToken(token),
            attempt=attempt,
            expires_at=until,
        )
        for identifier, token, attempt, until in _unpacked(outcome)
    ]


def _unpacked(outcome: Outcome) -> Unpacked:
    packed = outcome.values[0]
    if not isinstance(packed, bytes):
        raise TypeError(packed)
    return unpack(packed)
