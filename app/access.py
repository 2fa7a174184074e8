"""Who may use an endpoint: rules that every route declares one of (SPEC Z2).

What a rule does not decide is which messages are shown: the broker leaves out what the principal's
`viewer` may not see, and answers for it as if it were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from app.identity import principal
from broker.kernel.errors import ForbiddenError
from broker.security.principal import Principal

Arguments = Mapping[str, Any]
"""What a route gets: the parameters of its path, and what it declares of `body` and `query`."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """A rule: its name in the table of docs/access.md, and the two questions that it asks.

    `admits` is asked before anything is read, `permits` once the route's arguments are known.
    `remedy` says to whom it refuses what would be needed.
    """

    name: str
    remedy: str = ""
    is_public: bool = False
    admits: Callable[[Principal], bool] = lambda _: True
    permits: Callable[[Principal, Arguments], bool] | None = None

    def admit(self) -> None:
        """Raise `UnauthenticatedError` or `ForbiddenError` for who can't be meant at all."""
        if not self.is_public and not self.admits(principal()):
            raise ForbiddenError(self.remedy)

    def permit(self, arguments: Arguments) -> None:
        """Raise `ForbiddenError` for who is not meant by these arguments."""
        if self.permits is not None and not self.permits(principal(), arguments):
            raise ForbiddenError(self.remedy)


PUBLIC: Final = Access(name="everybody", is_public=True)

KNOWN: Final = Access(name="whoever is known")

REGISTRANT: Final = Access(
    name="the agent, operators; others as WAYSTATION_REGISTRATION says", is_public=True
)
"""The broker decides, because nobody may ask as well (broker.security.enrolment)."""

VISIBLE: Final = Access(name="whoever may see it")
"""Known callers; the broker shows them what their viewer may see."""

AS_PATH_AGENT: Final = Access(
    name="the agent",
    remedy="This is for the agent that the path names; use a key with its scope.",
    permits=lambda who, given: who.may_act_as(given["agent_id"]),
)

AS_PATH_AGENT_OR_OPERATOR: Final = Access(
    name="the agent, operators",
    remedy="This is for the agent that the path names, and for operators.",
    permits=lambda who, given: who.is_operator or who.may_act_as(given["agent_id"]),
)

AS_BODY_AGENT: Final = Access(
    name="the agent",
    remedy="agent_id must be an agent that your key speaks for.",
    permits=lambda who, given: who.may_act_as(given["body"].agent_id),
)

AS_SENDER: Final = Access(
    name="the sender",
    remedy="from must be an agent that your key speaks for.",
    permits=lambda who, given: who.may_act_as(given["body"].sender),
)

OPERATOR: Final = Access(
    name="operators",
    remedy="This is for operators; use a key with the scope operator.",
    admits=lambda who: who.is_operator,
)

ADMIN: Final = Access(
    name="admins",
    remedy="This is for admins; use a key with the scope admin.",
    admits=lambda who: who.is_admin,
)
