"""The life of a delivery: its states, the allowed moves, and the past-tense names of the moves."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class DeliveryState(StrEnum):
    """Where one recipient's copy of a message stands (DESIGN section 3)."""

    ACCEPTED = "accepted"  # durable, not routed yet
    DELAYED = "delayed"  # accepted, waits for its delivery time
    QUEUED = "queued"  # in the recipient's inbox
    LEASED = "leased"  # handed out, not yet acknowledged
    WAITING = "waiting"  # between two attempts
    ACKNOWLEDGED = "acknowledged"
    REPLIED = "replied"  # finished by the reply that it asked for
    DEAD = "dead"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    DROPPED = "dropped"  # given up by the inbox's own policy when it was full
    UNDELIVERABLE = "undeliverable"  # no recipient matched when it was routed
    RESOLVED = "resolved"  # was dead, and an operator closed the case
    TAKEN = "taken"  # was an offer of a claimable message, which another recipient finished
    DECLINED = "declined"  # was such an offer, which its recipient turned down for good


FINAL_STATES: Final = frozenset(
    {
        DeliveryState.ACKNOWLEDGED,
        DeliveryState.REPLIED,
        DeliveryState.DEAD,
        DeliveryState.EXPIRED,
        DeliveryState.CANCELLED,
        DeliveryState.SUPERSEDED,
        DeliveryState.DROPPED,
        DeliveryState.UNDELIVERABLE,
        DeliveryState.RESOLVED,
        DeliveryState.TAKEN,
        DeliveryState.DECLINED,
    }
)

DONE_STATES: Final = frozenset({DeliveryState.ACKNOWLEDGED, DeliveryState.REPLIED})
"""The final states in which a recipient has done what the message asked for."""

_S = DeliveryState
ALLOWED_MOVES: Final[dict[DeliveryState, frozenset[DeliveryState]]] = {
    _S.ACCEPTED: frozenset(
        {
            _S.QUEUED,
            _S.EXPIRED,
            _S.CANCELLED,
            _S.SUPERSEDED,
            _S.DEAD,
            _S.DROPPED,
            _S.UNDELIVERABLE,
        }
    ),
    _S.DELAYED: frozenset({_S.ACCEPTED, _S.CANCELLED, _S.SUPERSEDED}),
    _S.QUEUED: frozenset(
        {
            *(_S.LEASED, _S.WAITING, _S.REPLIED, _S.TAKEN),
            *(_S.EXPIRED, _S.CANCELLED, _S.SUPERSEDED, _S.DROPPED, _S.DEAD),
        }
    ),
    # The last four befall offers: they are only shown, so whoever sees one does not hold it.
    _S.LEASED: frozenset(
        {
            *(_S.ACKNOWLEDGED, _S.REPLIED, _S.QUEUED, _S.WAITING, _S.DEAD, _S.EXPIRED),
            *(_S.TAKEN, _S.DECLINED, _S.CANCELLED, _S.SUPERSEDED),
        }
    ),
    _S.WAITING: frozenset(
        {
            *(_S.QUEUED, _S.LEASED, _S.REPLIED, _S.TAKEN),
            *(_S.EXPIRED, _S.CANCELLED, _S.SUPERSEDED, _S.DEAD),
        }
    ),
    _S.DEAD: frozenset({_S.QUEUED, _S.RESOLVED}),
    _S.ACKNOWLEDGED: frozenset(),
    _S.REPLIED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.SUPERSEDED: frozenset(),
    _S.DROPPED: frozenset(),
    _S.UNDELIVERABLE: frozenset(),
    _S.RESOLVED: frozenset(),
    _S.TAKEN: frozenset(),
    _S.DECLINED: frozenset(),
}
