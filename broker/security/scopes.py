"""Scopes: what a key or a signed token lets its bearer do (SPEC Z1).

| scope | the bearer |
|---|---|
| `agent:<id>` | is this agent: sends, fetches and finishes as it |
| `operator` | sees everything, mends what is stuck, and is the human behind `user` |
| `admin` | is an operator who also decides who else may come in |
| `integration:<name>` | reports events of this integration |
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from broker.kernel.errors import FieldProblem, InvalidFieldsError
from broker.kernel.ids import AGENT_ID_PATTERN, AgentId
from broker.security.principal import Principal, Role

MAX_SCOPES: Final = 100
_AGENT: Final = "agent:"
_INTEGRATION: Final = "integration:"
_NAME: Final = re.compile(AGENT_ID_PATTERN)
_NOBODYS: Final = frozenset({"system", "broadcast", "auto"})
"""`system` is the station itself, the others are no agents."""


def agent_scope(agent: AgentId) -> str:
    """The scope of speaking as this agent."""
    return f"{_AGENT}{agent}"


def is_scope(text: str) -> bool:
    """Whether this is a scope that a key may have."""
    if text in {role.value for role in Role}:
        return True
    for prefix in (_AGENT, _INTEGRATION):
        name = text.removeprefix(prefix)
        if name != text and _NAME.fullmatch(name):
            return prefix == _INTEGRATION or name not in _NOBODYS
    return False


def checked(scopes: Iterable[str]) -> tuple[str, ...]:
    """These scopes, each once. Raises `InvalidFieldsError` for every one that there is not."""
    found = tuple(dict.fromkeys(scopes))
    problems = [
        FieldProblem(
            field=f"scopes.{index}",
            message="must be agent:<id>, operator, admin or integration:<name>"
            if one.removeprefix(_AGENT) not in _NOBODYS
            else "is no agent that a key can speak for",
        )
        for index, one in enumerate(found)
        if not is_scope(one)
    ]
    if not 1 <= len(found) <= MAX_SCOPES:
        problems.append(FieldProblem(field="scopes", message=f"must be 1 to {MAX_SCOPES} scopes"))
    if problems:
        raise InvalidFieldsError(problems)
    return found


def agents_of(scopes: Iterable[str]) -> frozenset[AgentId]:
    """The agents that these scopes speak for."""
    return frozenset(AgentId(one.removeprefix(_AGENT)) for one in scopes if one.startswith(_AGENT))


def principal_of(name: str, scopes: Iterable[str], expires_at: int | None) -> Principal:
    """Whom these scopes make of their bearer; those that mean nothing here are passed over."""
    known = [one for one in scopes if is_scope(one)]
    return Principal(
        name=name,
        agents=agents_of(known),
        roles=frozenset(role for role in Role if role.value in known),
        integrations=frozenset(
            one.removeprefix(_INTEGRATION) for one in known if one.startswith(_INTEGRATION)
        ),
        expires_at=expires_at,
    )


def scopes_of(principal: Principal) -> list[str]:
    """The scopes that a principal has, sorted."""
    return sorted(
        [agent_scope(one) for one in principal.agents]
        + [role.value for role in principal.roles]
        + [f"{_INTEGRATION}{one}" for one in principal.integrations]
    )
