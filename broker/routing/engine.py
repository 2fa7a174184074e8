"""The decision whom a message reaches: a pure function of the message and what is known then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from broker.kernel.ids import AgentId
from broker.messaging.message import Envelope


@dataclass(frozen=True, kw_only=True)
class RoutingContext:
    """What decisions are made from; asked only for messages that don't say all themselves.

    `audience` gives all that a message's targets mean, in the order of ids, `pick` the one of them
    that its strategy wants.
    """

    audience: Callable[[Envelope], Sequence[AgentId]]
    pick: Callable[[Envelope, Sequence[AgentId]], AgentId]


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
    """Where a message goes that names its recipients; else to its audience, or to one of it."""
    promised = message.promised
    if len(promised) == len(message.to):
        return Decision(recipients=promised, promised=frozenset(promised), is_literal=True)
    recipients = tuple(context.audience(message))
    if message.strategy and recipients:
        recipients = (context.pick(message, recipients),)
    return Decision(recipients=recipients, promised=frozenset(promised), is_literal=False)
