"""Whether messages to groups reach anybody, told to their senders before they are accepted."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from broker.directory.roll import Roll, RollCall
from broker.kernel.errors import BrokerError, FieldProblem, NotFoundError, UnknownAgentError
from broker.kernel.ids import AgentId
from broker.messaging.message import Envelope
from broker.routing.audience import TRAIT_OF, Groups, Memberships
from broker.routing.targets import (
    Address,
    Everyone,
    Group,
    Named,
    Target,
    leaves,
    parse,
    text_of,
)

_NEAR: Final = 3


class NoRecipientsError(NotFoundError):
    """A target matches nobody but the sender (SPEC R1, M11); near names are suggested."""

    code = "no_recipients"

    def __init__(self, problems: Iterable[FieldProblem]) -> None:
        found = tuple(problems)
        super().__init__(
            f"{' '.join(problem.message for problem in found)} "
            "Name other targets, or register agents that match.",
            problems=found,
        )


class Reach:
    """Refuses messages to groups that reach nobody, or that are closed to their sender.

    What it knows may be half a second old: nobody is refused by that.
    """

    def __init__(
        self,
        rolls: RollCall,
        memberships: Memberships,
        near_names: Callable[[AgentId], Sequence[AgentId]],
    ) -> None:
        self._rolls = rolls
        self._memberships = memberships
        self._near_names = near_names

    def refusals(self, messages: Sequence[Envelope]) -> list[BrokerError | None]:
        """Why each of these messages cannot be sent; None for those that can.

        Each is `NoRecipientsError`, `UnknownAgentError` for a name within a selector, or what a
        channel says to those who may not post to it.
        """
        groups = Groups(self._rolls.recent(), self._memberships)
        found = [self._refusal(message, groups) for message in messages]
        if any(found):
            groups = Groups(self._rolls.current(), self._memberships)
            found = [
                refusal and self._refusal(message, groups)
                for message, refusal in zip(messages, found, strict=True)
            ]
        return found

    def _refusal(self, message: Envelope, groups: Groups) -> BrokerError | None:
        address = parse(message.to)
        for target in address.groups:
            closed = self._memberships.closed(message.sender, target)
            if closed is not None:
                return closed
        unknown = [] if message.hold_for_unknown else _unknown(address, groups.roll)
        if unknown:
            near = [name for agent in unknown for name in self._near_names(agent)]
            return UnknownAgentError(unknown, dict.fromkeys(near), field="to")
        problems = [
            FieldProblem(field=_path(message, target), message=_nobody(target, groups))
            for target in address.groups
            if target != Everyone() and groups.members(target) <= {message.sender}
        ]
        return NoRecipientsError(problems) if problems else None


def _unknown(address: Address, roll: Roll) -> list[AgentId]:
    """The agents within selectors that are not registered, each once."""
    named = [leaf for target in address.groups for leaf in leaves(target)]
    return list(
        dict.fromkeys(
            leaf.agent for leaf in named if isinstance(leaf, Named) and not roll.find(leaf.agent)
        )
    )


def _path(message: Envelope, target: Target) -> str:
    if len(message.to) == 1:
        return "to"
    return f"to.{message.to.index(text_of(target))}"


def _nobody(target: Target, groups: Groups) -> str:
    """A sentence that says whom a target would need."""
    match target:
        case Group(kind=kind, name=name) if kind in TRAIT_OF:
            near = difflib.get_close_matches(name, groups.roll.names(TRAIT_OF[kind]), n=_NEAR)
            hint = f" Did you mean {', '.join(f'{kind.value}:{one}' for one in near)}?"
            return f"{text_of(target)} matches nobody but its sender.{hint if near else ''}"
        case Group():
            return f"{text_of(target)} has no members but its sender, or does not exist."
        case _:
            return "This selector matches nobody but its sender."
