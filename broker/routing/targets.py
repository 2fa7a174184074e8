"""Targets: what `to` may name (SPEC R1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from broker.kernel.errors import FieldProblem, InvalidFieldsError
from broker.kernel.ids import AGENT_ID_PATTERN, AgentId
from broker.messaging.message import BROADCAST

_AGENT_ID: Final = re.compile(AGENT_ID_PATTERN)
_KNOWN: Final = f"an agent id, a list of agent ids, or {BROADCAST!r}"


def named_recipients(to: Sequence[str]) -> tuple[AgentId, ...]:
    """The agents that `to` names one by one, each once; none for a broadcast.

    Raises `InvalidFieldsError`, which lists the known forms.
    """
    problems = []
    if not to:
        problems.append(FieldProblem(field="to", message=f"must name {_KNOWN}"))
    if BROADCAST in to and len(to) > 1:
        problems.append(
            FieldProblem(field="to", message="a broadcast reaches everyone: name nobody else")
        )
    for target in to:
        if target != BROADCAST and not _AGENT_ID.fullmatch(target):
            prefix, colon, _ = target.partition(":")
            what = f"unknown prefix {prefix + colon!r}" if colon else f"{target!r} is no agent id"
            problems.append(FieldProblem(field="to", message=f"{what}; name {_KNOWN}"))
    if problems:
        raise InvalidFieldsError(problems)
    return tuple(AgentId(target) for target in dict.fromkeys(to) if target != BROADCAST)


def is_broadcast(to: Sequence[str]) -> bool:
    """Whether a message goes to everyone."""
    return BROADCAST in to
