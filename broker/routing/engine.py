"""The decision whom a message reaches: a pure function of the message and what is known then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from broker.kernel.ids import AgentId
from broker.messaging.message import Envelope
from broker.routing.targets import is_broadcast


@dataclass(frozen=True, kw_only=True)
class RoutingContext:
    """What decisions of one batch are made from; read once, and only if a message asks for it."""

    everyone: Callable[[], Sequence[AgentId]]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whom a message goes to; in the inboxes of the `promised` a place was granted before.

    `is_literal`: the message itself says who they are.
    """

    recipients: tuple[AgentId, ...]
    promised: frozenset[AgentId]
    is_literal: bool

    @property
    def is_to_one(self) -> bool:
        """Whether the message itself says all about its audience, so that nobody need note it."""
        return self.is_literal and len(self.recipients) == 1


def decide(message: Envelope, context: RoutingContext) -> Decision:
    """A broadcast reaches every registered agent but its sender; all else goes where it says."""
    promised = frozenset(message.promised)
    if is_broadcast(message.to):
        return Decision(
            recipients=tuple(name for name in context.everyone() if name != message.sender),
            promised=promised,
            is_literal=False,
        )
    named = message.named
    return Decision(
        recipients=named, promised=promised, is_literal=len(promised) == len(message.to)
    )
