"""How claims end: the holder's side decides, the sender's side hears of it (SPEC R3, R9).

Everything here may be repeated, and may stop between any two steps: what has not been told yet
stands in an outbox, on the holder's side (`concluded`) or on the sender's (`claims`).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from broker.kernel.ids import AgentId, LeaseToken, MessageId, Partition
from broker.messaging.claim_store import Claim, ClaimStore
from broker.messaging.inbox_store import CLAIM_MARGIN_MS, InboxStore
from broker.messaging.offers import Offers
from broker.storage.scripts import whole

_AT_ONCE: Final = 100


class Fate(StrEnum):
    """What the holder's side says of a claim: the outcomes of conclude_claim.lua."""

    RUNS = "runs"
    WON = "won"
    OVER = "over"


class Told(NamedTuple):
    """What the outbox of a holder's side says: `claim_won:<token>` or `claim_lost:<token>`."""

    claim: Claim
    is_won: bool

    @classmethod
    def of(cls, kind: str, message: MessageId, agent: AgentId) -> Told | None:
        """The entry of these three words; None for what tells of a verdict."""
        what, _, token = kind.partition(":")
        if what not in {"claim_won", "claim_lost"}:
            return None
        claim = Claim(message_id=message, agent_id=agent, token=LeaseToken(token), expires_at=0)
        return cls(claim=claim, is_won=what == "claim_won")


class ClaimEnds:
    """Finishes claims that were won, frees those that are over, and tells all who wait for it."""

    def __init__(self, claims: ClaimStore, inboxes: InboxStore, offers: Offers) -> None:
        self._claims = claims
        self._inboxes = inboxes
        self._offers = offers

    def resolve(self, claim: Claim) -> Fate:
        """Have the holder's side say what became of a claim, and draw the consequence at once.

        Only so may a claim be freed: from then on its token gets nothing on the holder's side.
        """
        outcome = self._inboxes.move(
            "conclude_claim",
            claim.agent_id,
            {"id": claim.message_id, "token": claim.token, "until_ms": claim.expires_at},
        )
        fate = Fate(outcome.name)
        match fate:
            case Fate.RUNS:
                self._claims.postpone(claim, whole(outcome.values[0]))
            case Fate.WON:
                self._claims.finish([claim])
            case Fate.OVER:
                self._claims.free([claim])
        return fate

    def hear(self, told: Sequence[Told]) -> None:
        """What holders' sides tell of their claims."""
        won = [one.claim for one in told if one.is_won]
        lost = [one.claim for one in told if not one.is_won]
        self._claims.finish(won)
        self._claims.free(lost)
        self._spread(won, lost)

    def settle(self, partition: Partition, now_ms: int) -> int:
        """See to claims on a partition's messages whose end has passed; how many."""
        ended = self._claims.ended(partition, now_ms - CLAIM_MARGIN_MS, _AT_ONCE)
        fates = [(claim, self.resolve(claim)) for claim in ended]
        self._spread(
            [claim for claim, fate in fates if fate is Fate.WON],
            [claim for claim, fate in fates if fate is Fate.OVER],
        )
        return len(ended)

    def _spread(self, won: Sequence[Claim], lost: Sequence[Claim]) -> None:
        for claim in won:
            self._offers.take_back(claim)
        for claim in lost:
            self._offers.offer_again(claim)
        self._claims.strike([*won, *lost])
