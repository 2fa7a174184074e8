"""Whether messages to groups reach anybody, told to their senders before they are accepted."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from typing import Final

from broker.directory.roll import Roll, RollCall
from broker.kernel.errors import BrokerError, FieldProblem, NotFoundError, UnknownAgentError
from broker.kernel.ids import AgentId
from broker.messaging.message import Envelope
from broker.routing.audience import TRAIT_OF, Groups, Memberships
from broker.routing.targets import (
    Everyone,
    Group,
    Named,
    Target,
    leaves,
    parse,
    text_of,
)

NearNames = Callable[[AgentId], Sequence[AgentId]]

_NEAR: Final = 3
# Near names take long to find: of a batch, the first that are unknown get them.
_SUGGESTED: Final = 10


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

    def __init__(self, rolls: RollCall, memberships: Memberships, near_names: NearNames) -> None:
        self._rolls = rolls
        self._memberships = memberships
        self._near_names = near_names

    def refusals(self, messages: Sequence[Envelope]) -> list[BrokerError | None]:
        """Why each of these messages cannot be sent; None for those that can.

        Each is `NoRecipientsError`, `UnknownAgentError` for a name within a selector, or what a
        channel says to those who may not post to it.
        """
        memberships = replace(self._memberships, refusal=cache(self._memberships.refusal))
        found = [_closed(message, memberships) for message in messages]
        groups = Groups(self._rolls.recent(), memberships)
        doubtful = [
            index
            for index, message in enumerate(messages)
            if found[index] is None and not _reaches(message, groups)
        ]
        if doubtful:
            groups = Groups(self._rolls.current(), memberships)
            suggestions = _Suggestions(groups.roll, self._near_names)
            for index in doubtful:
                found[index] = _refusal(messages[index], groups, suggestions)
        return found


class _Suggestions:
    """Names that look like what is not there."""

    def __init__(self, roll: Roll, near_names: NearNames) -> None:
        self._roll = roll
        self._near_names = near_names
        self._left = _SUGGESTED

    def for_agent(self, agent: AgentId) -> Sequence[AgentId]:
        return self._near_names(agent) if self._is_one_left() else ()

    def for_group(self, group: Group) -> Sequence[str]:
        if group.kind not in TRAIT_OF or not self._is_one_left():
            return ()
        known = self._roll.names(TRAIT_OF[group.kind])
        near = difflib.get_close_matches(group.name, known, n=_NEAR)
        return [f"{group.kind.value}:{name}" for name in near if name != group.name]

    def _is_one_left(self) -> bool:
        self._left -= 1
        return self._left >= 0


def _closed(message: Envelope, memberships: Memberships) -> BrokerError | None:
    """What keeps the sender from the first of its channels that is closed to it."""
    groups = parse(message.to).groups
    refusals = (memberships.closed(message.sender, target) for target in groups)
    return next((refusal for refusal in refusals if refusal is not None), None)


def _reaches(message: Envelope, groups: Groups) -> bool:
    return not _unknown(message, groups.roll) and not _empty(message, groups)


def _refusal(message: Envelope, groups: Groups, suggestions: _Suggestions) -> BrokerError | None:
    if unknown := _unknown(message, groups.roll):
        near = [name for agent in unknown for name in suggestions.for_agent(agent)]
        return UnknownAgentError(unknown, dict.fromkeys(near), field="to")
    problems = [
        FieldProblem(field=_path(message, target), message=_nobody(target, suggestions))
        for target in _empty(message, groups)
    ]
    return NoRecipientsError(problems) if problems else None


def _unknown(message: Envelope, roll: Roll) -> list[AgentId]:
    """The agents within selectors that are not registered, each once."""
    if message.hold_for_unknown:
        return []
    named = [leaf for target in parse(message.to).groups for leaf in leaves(target)]
    return list(
        dict.fromkeys(
            leaf.agent for leaf in named if isinstance(leaf, Named) and not roll.find(leaf.agent)
        )
    )


def _empty(message: Envelope, groups: Groups) -> list[Target]:
    """The groups and selectors in which nobody but the sender is; a broadcast may be to nobody."""
    return [
        target
        for target in parse(message.to).groups
        if target != Everyone() and groups.members(target) <= {message.sender}
    ]


def _path(message: Envelope, target: Target) -> str:
    if len(message.to) == 1:
        return "to"
    return f"to.{message.to.index(text_of(target))}"


def _nobody(target: Target, suggestions: _Suggestions) -> str:
    """A sentence that says whom a target would need."""
    match target:
        case Group(kind=kind) if kind in TRAIT_OF:
            near = suggestions.for_group(target)
            hint = f" Did you mean {', '.join(near)}?" if near else ""
            return f"{text_of(target)} matches nobody but its sender.{hint}"
        case Group():
            return f"{text_of(target)} has no members but its sender, or does not exist."
        case _:
            return "This selector matches nobody but its sender."
