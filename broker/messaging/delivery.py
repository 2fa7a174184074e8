"""One recipient's copy of a message: as it is asked for, handed out, finished and reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, LeaseToken, MessageId
from broker.messaging.message import Message


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """How one attempt ended: `lease_ended`, `rejected` or `returned`, with the reason given."""

    number: int
    ended_at: int
    outcome: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What has become of a message for one recipient (SPEC M11); times in ms, None for not yet."""

    agent_id: AgentId
    state: DeliveryState
    attempts: int = 0
    routed_at: int | None = None
    delivered_at: int | None = None
    read_at: int | None = None
    finished_at: int | None = None
    history: tuple[Attempt, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to finish one delivery until `expires_at` (ms), fenced by its token."""

    message_id: MessageId
    token: LeaseToken
    attempt: int
    expires_at: int


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which messages of an inbox are asked for (SPEC M5)."""

    limit: int = 10
    min_priority: int = 0
    kinds: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """A message as its recipient gets it; without a lease it was only shown."""

    message: Message
    lease: Lease | None
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """What a negative acknowledgement came to: waiting (until `next_attempt_at`), dead, expired."""

    state: DeliveryState
    next_attempt_at: int | None = None


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """One of many: the lease that is to be finished."""

    message_id: MessageId
    token: LeaseToken


def attempts_from(history: Sequence[Sequence[Any]]) -> tuple[Attempt, ...]:
    """The attempts of a packed delivery (includes/delivery.lua: HISTORY)."""
    return tuple(
        Attempt(number=number, ended_at=ended_at, outcome=outcome, reason=reason)
        for number, ended_at, outcome, reason in history
    )


def receipt_from(agent: AgentId, packed: Sequence[Any]) -> Receipt:
    """The receipt of a packed delivery; the fields stand in the order of delivery.lua."""
    state, _order, attempt, _token, _max, _expires, routed, delivered, read, finished = packed[:10]
    return Receipt(
        agent_id=agent,
        state=DeliveryState(state),
        attempts=attempt,
        routed_at=routed or None,
        delivered_at=delivered or None,
        read_at=read or None,
        finished_at=finished or None,
        history=attempts_from(packed[13]),
    )
