"""Claiming a message that was offered to several: claim, renew, release (SPEC R3, R8).

A claim takes two steps, since it touches two partitions. The sender's side says who has the
message, one at a time; then the holder's side leases its copy by the claim's token, until the
claim's end. What is done with the message is fenced by that lease, as with any other. The sender's
side frees a claim only when the holder's side has said that it is over, so there are never two
holders, whatever clocks do and whoever dies between the steps.
"""

from __future__ import annotations

from typing import Final

from broker.kernel.clock import MILLISECONDS, Clock, rfc3339
from broker.kernel.errors import (
    ConflictError,
    FieldProblem,
    InvalidFieldsError,
    MessageNotFoundError,
    StaleLeaseError,
)
from broker.kernel.events import DONE_STATES, DeliveryState
from broker.kernel.ids import AgentId, LeaseToken, MessageId
from broker.kernel.viewer import EVERYONE, Viewer
from broker.messaging.claim_ends import ClaimEnds, Fate
from broker.messaging.claim_store import Claim, ClaimStore
from broker.messaging.delivery import Delivered, Lease
from broker.messaging.inbox_store import InboxStore
from broker.messaging.message import Message
from broker.messaging.offers import Offers
from broker.messaging.policy import MessagePolicy
from broker.messaging.record_store import RecordStore
from broker.messaging.refusals import Refusals
from broker.messaging.visibility import Visibility
from broker.storage.scripts import Outcome, whole

# Each try but the last meets a claim that turns out to be over.
_TRIES: Final = 5


class ClaimHeldError(ConflictError):
    """Another recipient has claimed the message; it may come free again (SPEC R3)."""

    code = "claim_held"
    permanent = False


class ClaimDoneError(ConflictError):
    """The message was claimed and finished; there is nothing left to do (SPEC R3)."""

    code = "claim_done"


class NotClaimableError(ConflictError):
    """The message is not one to be claimed, or no longer one for this recipient (SPEC R3)."""

    code = "not_claimable"


class Claims:
    """Hands a claimable message to the first of its recipients who asks for it."""

    def __init__(
        self,
        records: RecordStore,
        claims: ClaimStore,
        inboxes: InboxStore,
        offers: Offers,
        ends: ClaimEnds,
        *,
        refusals: Refusals,
        visibility: Visibility,
        policy: MessagePolicy,
        clock: Clock,
    ) -> None:
        self._records = records
        self._claims = claims
        self._inboxes = inboxes
        self._offers = offers
        self._ends = ends
        self._refusals = refusals
        self._visibility = visibility
        self._policy = policy
        self._clock = clock

    def claim(
        self,
        agent: AgentId,
        identifier: MessageId,
        *,
        claim_ms: int | None = None,
        epoch: int | None = None,
        holder: str = "",
    ) -> Delivered:
        """The message, leased to the agent by the claim's token.

        The same agent again gets the claim that it has. Raises `ClaimHeldError`, `ClaimDoneError`,
        `NotClaimableError`; `MessageNotFoundError` for what was not offered to it;
        `UnknownAgentError`, `StaleEpochError`, `InvalidFieldsError` as `Inboxes.lease` does.
        """
        self._check_length(claim_ms, "claim_seconds")
        message = self._offered(agent, identifier, epoch)
        for _ in range(_TRIES):
            met = self._claims.claim(agent, identifier, claim_ms or self._policy.lease_ms)
            claim = met.claim
            if claim is None:
                raise self._nothing_to_claim(agent, identifier, met.outcome)
            if met.outcome == "ended" and self._ends.resolve(claim) is not Fate.RUNS:
                continue
            if claim.agent_id != agent:
                self._offers.lose(agent, claim)
                raise self._held(claim)
            delivered = self._hand_over(agent, message, claim, epoch, holder)
            if delivered is not None:
                return delivered
        raise ClaimHeldError(
            f"Message {identifier} is changing hands. Try again.", retry_after_seconds=1
        )

    def renew(
        self,
        agent: AgentId,
        identifier: MessageId,
        token: LeaseToken,
        *,
        claim_ms: int,
        epoch: int | None = None,
    ) -> int:
        """Let a claim, and the lease that it is, end `claim_ms` from now; when that is (ms).

        The claim moves first: a crash between leaves others waiting for longer, never two holders.
        Raises `StaleLeaseError` for a claim that is over, and else what `claim` does.
        """
        self._check_length(claim_ms, "seconds")
        claim = Claim(message_id=identifier, agent_id=agent, token=token, expires_at=0)
        ends_at = self._claims.renew(claim, claim_ms)
        if ends_at is None:
            self._refusals.refuse(agent, self._find_offer(agent, identifier, epoch), identifier)
            raise StaleLeaseError(
                f"The claim on {identifier} has ended. Claim the message again to go on with it."
            )
        outcome = self._inboxes.move(
            "prolong_claim",
            agent,
            {"epoch": _text(epoch), "id": identifier, "token": token, "until_ms": ends_at},
        )
        self._refusals.refuse(agent, outcome, identifier)
        return ends_at

    def release(
        self,
        agent: AgentId,
        identifier: MessageId,
        token: LeaseToken,
        *,
        epoch: int | None = None,
    ) -> None:
        """Give a claimed message back to all to whom it was offered, this agent among them.

        The attempt is not counted. Raises `NotClaimedError` for an offer, else what `renew` does.
        """
        outcome = self._inboxes.move(
            "release_claim", agent, {"epoch": _text(epoch), "id": identifier, "token": token}
        )
        self._refusals.refuse(agent, outcome, identifier)
        claim = Claim(message_id=identifier, agent_id=agent, token=token, expires_at=0)
        # The sweep will do so as well, and tell those who wait for it.
        self._claims.free([claim])

    def of(self, identifier: MessageId, viewer: Viewer = EVERYONE) -> Claim | None:
        """Who has claimed a message, if anybody has.

        Raises `NotClaimableError`; `MessageNotFoundError` for what the viewer may not see.
        """
        message = self._records.read([identifier])[0]
        if message is None or not self._visibility.sees(viewer, message):
            raise _unknown(identifier)
        if not message.claimable:
            raise NotClaimableError(f"Message {message.id} is not one to be claimed.")
        return self._claims.read([message.id])[0]

    # --- the steps of a claim ---------------------------------------------------------------

    def _offered(self, agent: AgentId, identifier: MessageId, epoch: int | None) -> Message:
        """The message, if an offer of it stands in the agent's inbox."""
        outcome = self._find_offer(agent, identifier, epoch)
        self._refusals.refuse(agent, outcome, identifier)
        match outcome.name:
            case "expired":
                raise _closed(identifier, DeliveryState.EXPIRED)
            case "finished":
                raise _closed(identifier, DeliveryState(_decoded(outcome.values[0])))
            case "not_claimable":
                raise NotClaimableError(
                    f"Message {identifier} is yours alone: acknowledge it without a claim."
                )
        message = self._records.read([identifier])[0]
        if message is None:
            raise _unknown(identifier)
        return message

    def _find_offer(self, agent: AgentId, identifier: MessageId, epoch: int | None) -> Outcome:
        return self._inboxes.move("find_offer", agent, {"epoch": _text(epoch), "id": identifier})

    def _hand_over(
        self, agent: AgentId, message: Message, claim: Claim, epoch: int | None, holder: str
    ) -> Delivered | None:
        """The second step: the message with its lease, None where the claim is over already."""
        outcome = self._inboxes.move(
            "hand_over",
            agent,
            {
                "epoch": _text(epoch),
                "id": claim.message_id,
                "token": claim.token,
                "until_ms": claim.expires_at,
                "holder": holder,
            },
        )
        if outcome.name == "handed_over":
            attempt, ends_at = map(whole, outcome.values)
            lease = Lease(
                message_id=message.id, token=claim.token, attempt=attempt, expires_at=ends_at
            )
            return Delivered(message=message, lease=lease, attempt=attempt)
        # Nothing came of it, so that nobody need wait for its end.
        self._ends.resolve(claim)
        if outcome.name == "expired":
            raise _closed(message.id, DeliveryState.EXPIRED)
        self._refusals.refuse(agent, outcome, message.id)
        return None

    def _nothing_to_claim(
        self, agent: AgentId, identifier: MessageId, outcome: str
    ) -> ConflictError | MessageNotFoundError:
        if outcome == "done":
            self._offers.withdraw(agent, identifier)
            return _closed(identifier, DeliveryState.TAKEN)
        return MessageNotFoundError(f"No message {identifier} is offered to {agent}.")

    def _held(self, claim: Claim) -> ClaimHeldError:
        left_ms = claim.expires_at - self._clock()
        return ClaimHeldError(
            f"{claim.agent_id} has claimed message {claim.message_id} until "
            f"{rfc3339(claim.expires_at)}. It comes again if it is not finished by then.",
            retry_after_seconds=max(1, left_ms / MILLISECONDS),
        )

    def _check_length(self, claim_ms: int | None, field: str) -> None:
        longest = self._policy.max_lease_ms
        if claim_ms is not None and claim_ms > longest:
            message = f"must be at most {longest / MILLISECONDS:g} seconds"
            raise InvalidFieldsError([FieldProblem(field=field, message=message)])


def _unknown(identifier: MessageId) -> MessageNotFoundError:
    return MessageNotFoundError(
        f"No message {identifier} is stored: it never was, or its retention has passed."
    )


def _closed(identifier: MessageId, state: DeliveryState) -> ConflictError:
    if state is DeliveryState.TAKEN or state in DONE_STATES:
        return ClaimDoneError(f"Message {identifier} was claimed and is finished.")
    return NotClaimableError(f"Message {identifier} can't be claimed any more: it is {state}.")


def _text(epoch: int | None) -> int | str:
    return "" if epoch is None else epoch


def _decoded(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
