"""What moves of an inbox are refused by, as errors of the domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from broker.kernel.errors import (
    BrokerError,
    LeaseIsClaimError,
    MessageNotFoundError,
    NotClaimedError,
    StaleEpochError,
    StaleLeaseError,
    UnknownAgentError,
)
from broker.kernel.ids import AgentId, MessageId
from broker.storage.scripts import Outcome, whole


class Refusals:
    """Knows and raises the errors that outcomes stand for."""

    def __init__(self, near_names: Callable[[AgentId], tuple[AgentId, ...]]) -> None:
        """`near_names` suggests registered ids for one that is not."""
        self._near_names = near_names

    def refuse(self, agent: AgentId, outcome: Outcome, message: MessageId | None = None) -> None:
        """Return where the outcome of a move of this agent's inbox refuses nothing."""
        refused = self.of(agent, outcome, message)
        if refused is not None:
            raise refused

    def of(
        self, agent: AgentId, outcome: Outcome, message: MessageId | None = None
    ) -> BrokerError | None:
        """The error that an outcome stands for; None where it stands for none."""
        match outcome.name:
            case "unknown_agent":
                return UnknownAgentError([agent], self._near_names(agent))
            case "stale_epoch":
                return StaleEpochError(
                    f"A newer session of {agent} (epoch {whole(outcome.values[0])}) has taken "
                    "over. Register again to act for this agent."
                )
            case name if message is not None:
                return refusal(name, message)
        return None

    def unknown(self, agent: AgentId) -> NoReturn:
        """Raise `UnknownAgentError`."""
        raise UnknownAgentError([agent], self._near_names(agent))


def refusal(name: str, message: MessageId) -> BrokerError | None:
    """The error that a verdict on one message stands for; None where it stands for none."""
    match name:
        case "stale_lease":
            return StaleLeaseError(
                f"The lease on {message} has ended or was replaced. Do not act on it; "
                "the message comes again if it is not finished."
            )
        case "unknown_message":
            return MessageNotFoundError(f"No message {message} is in this inbox.")
        case "not_claimed":
            return not_claimed(message)
        case "renew_claim":
            return LeaseIsClaimError(
                f"The lease on {message} is that of a claim. Renew the claim: "
                f"POST /messages/{message}/claim/renew."
            )
    return None


def not_claimed(message: MessageId) -> NotClaimedError:
    """The refusal of work on what is only offered."""
    return NotClaimedError(
        f"Message {message} is offered to several. Claim it first: POST /messages/{message}/claim."
    )
