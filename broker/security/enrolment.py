"""Who may register as an agent, and how somebody without a key gets one (SPEC Z1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from broker.kernel.errors import ForbiddenError, UnauthenticatedError
from broker.kernel.ids import AgentId
from broker.security.api_keys import ApiKeys
from broker.security.invitations import Invitations
from broker.security.principal import Principal
from broker.security.tokens import TokenKind
from broker.storage.scripts import Argument, Outcome


class RegistrationPolicy(StrEnum):
    """Who may register without a key that speaks for the agent."""

    CLOSED = "closed"
    OPEN = "open"
    INVITATION = "invitation"


Founding = Callable[[Mapping[str, str], Mapping[str, Argument]], Outcome]
"""Registers an agent that is new, and keeps its key in the same step: created or taken."""


@dataclass(frozen=True, kw_only=True)
class Admission:
    """That a caller may register an agent. A newcomer has it founded, and gets this token.

    One that is not `present` registers it for somebody else: that is no sign of life.
    """

    present: bool = True
    founding: Founding | None = None
    token: str | None = None


class Enrolment:
    """Decides who may register an agent."""

    def __init__(
        self,
        policy: RegistrationPolicy,
        keys: ApiKeys,
        invitations: Invitations,
    ) -> None:
        self._policy = policy
        self._keys = keys
        self._invitations = invitations

    def admit(self, caller: Principal | None, agent: AgentId, invitation: str | None) -> Admission:
        """Let a caller register an agent; None is nobody.

        Whoever speaks for the agent, and operators, register it as ever. Everybody else is held to
        the policy, and gets an id that is new, with a key for it. Raises `UnauthenticatedError`,
        `ForbiddenError`.
        """
        if caller is not None and caller.may_act_as(agent):
            return Admission()
        if caller is not None and caller.is_operator:
            return Admission(present=False)
        if self._policy is RegistrationPolicy.OPEN:
            return self._admission(agent, "registration", lambda: None)
        if self._policy is RegistrationPolicy.INVITATION and invitation is not None:
            by = TokenKind.INVITATION.identifier(invitation) or "invitation"
            return self._admission(agent, by, lambda: self._invitations.use(invitation, agent))
        remedy = (
            "Registering needs an invitation, or a key that speaks for the agent."
            if self._policy is RegistrationPolicy.INVITATION
            else "Registering needs a key that speaks for the agent; an admin makes one."
        )
        raise (UnauthenticatedError if caller is None else ForbiddenError)(remedy)

    def _admission(self, agent: AgentId, by: str, use: Callable[[], object]) -> Admission:
        issued = self._keys.draw_for(agent, created_by=by)

        def founding(names: Mapping[str, str], arguments: Mapping[str, Argument]) -> Outcome:
            # First, and for good: an invitation that is used for an agent stays so, and can be
            # used for it again, whoever dies before the next line.
            use()
            return self._keys.enrol(issued, names, arguments)

        return Admission(founding=founding, token=issued.token)
