"""Offers: a claimable message as those see it who have not claimed it (SPEC R3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from broker.kernel.ids import AgentId, MessageId
from broker.messaging.claim_store import Claim, ClaimStore
from broker.messaging.delivery import Delivered
from broker.messaging.inbox_store import InboxStore
from broker.storage.scripts import Argument

# Moves of inboxes sent in one trip, when all to whom a message was offered must hear of it.
_AT_ONCE: Final = 200


class Offers:
    """Keeps offers out of the way while another has the message, and takes them back in the end.

    Who fetches learns of a claim then, and not before: nobody is told when it is made.
    """

    def __init__(self, claims: ClaimStore, inboxes: InboxStore) -> None:
        self._claims = claims
        self._inboxes = inboxes

    def open_to(self, agent: AgentId, fetched: Sequence[Delivered]) -> list[Delivered]:
        """What was fetched, less the offers of messages that another has claimed or finished.

        Those are put aside until that claim ends, or taken back. Costs a trip if there are offers.
        """
        taken = self._taken_from(agent, fetched)
        for claim in taken.values():
            if claim.done:
                self.withdraw(agent, claim.message_id)
        held = [(one, taken[one.message.id]) for one in fetched if one.message.id in taken]
        again = self._put_aside(agent, [one for one in held if not one[1].done])
        return [one for one in fetched if one.message.id not in taken or one in again]

    def shown_to(self, agent: AgentId, shown: Sequence[Delivered]) -> list[Delivered]:
        """What is shown without leasing it, less the same; changes nothing."""
        taken = self._taken_from(agent, shown)
        return [one for one in shown if one.message.id not in taken]

    def _taken_from(self, agent: AgentId, found: Sequence[Delivered]) -> dict[str, Claim]:
        offers = [one.message.id for one in found if one.message.claimable]
        if not offers:
            return {}
        return {
            claim.message_id: claim
            for claim in self._claims.read(offers)
            if claim is not None and (claim.done or claim.agent_id != agent)
        }

    def lose(self, agent: AgentId, claim: Claim) -> None:
        """An agent learns that another has the message: its own offer waits for that to end."""
        self._inboxes.move(
            "put_aside", agent, {}, (claim.message_id, "", claim.number, claim.expires_at)
        )

    def _put_aside(
        self, agent: AgentId, held: Sequence[tuple[Delivered, Claim]]
    ) -> list[Delivered]:
        """Those of them that the agent may see after all: their claim has ended meanwhile."""
        if not held:
            return []
        arguments: list[Argument] = []
        for one, claim in held:
            token = one.lease.token if one.lease else ""
            arguments += (claim.message_id, token, claim.number, claim.expires_at)
        outcome = self._inboxes.move("put_aside", agent, {}, arguments)
        return [one for (one, _), aside in zip(held, outcome.values, strict=True) if not aside]

    def withdraw(self, agent: AgentId, message: MessageId) -> None:
        """Another has finished the message: take this agent's offer back."""
        self._inboxes.move("take_back", agent, {"id": message})

    # --- when a claim has ended -------------------------------------------------------------

    def offer_again(self, claim: Claim) -> None:
        """A claim is over: all who put the message aside because of it see it again."""
        audience = self._claims.audience(claim.message_id)
        arguments: dict[str, Argument] = {"id": claim.message_id, "number": claim.number}
        for start in range(0, len(audience), _AT_ONCE):
            self._inboxes.move_many("offer_again", audience[start : start + _AT_ONCE], arguments)

    def take_back(self, claim: Claim) -> None:
        """The message of this claim is done: nobody else need see it any more."""
        audience = self._claims.audience(claim.message_id)
        arguments: dict[str, Argument] = {"id": claim.message_id}
        for start in range(0, len(audience), _AT_ONCE):
            self._inboxes.move_many("take_back", audience[start : start + _AT_ONCE], arguments)
