"""Who may use an endpoint: rules, one of which every route declares (SPEC Z2).

What a rule does not decide is which messages are shown: the broker leaves out what the principal's
`viewer` may not see, and answers for it as if it were not there. Each rule also says how it turns
out for each sort of caller; `docs/access.md` is made of that, and a test holds it against reality.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from app.identity import principal
from broker.kernel.errors import FieldProblem, ForbiddenError
from broker.kernel.ids import AgentId
from broker.kernel.viewer import Viewer
from broker.security.principal import Principal

Arguments = Mapping[str, Any]
"""What a route gets: the parameters of its path, and what it declares of `body` and `query`."""


class Caller(StrEnum):
    """The sorts of callers, by what they have to do with the thing that is asked for."""

    NOBODY = "nobody"  # no token, or none that holds
    ANOTHER = "another agent"
    ITSELF = "the agent itself"  # the one that is named, or whose thing it is
    OPERATOR = "operator"
    ADMIN = "admin"


class Verdict(StrEnum):
    """How a call turns out for a caller."""

    ALLOWED = "yes"
    OWN = "its own"  # allowed; it comes down to what is the caller's
    UNAUTHENTICATED = "401"
    FORBIDDEN = "403"
    HIDDEN = "404"  # as if it were not there


@dataclass(frozen=True, kw_only=True)
class Access:
    """A rule: its name in the table of docs/access.md, and the two questions that it asks.

    `admits` is asked before anything is read, `permits` once the route's arguments are known.
    `remedy` says to whom it refuses what would be needed, `field` which one it refuses. Of one that
    `is_public` nothing has to be proven before the route asks. The verdicts are the table's row.
    """

    name: str
    nobody: Verdict = Verdict.UNAUTHENTICATED
    another: Verdict
    itself: Verdict = Verdict.ALLOWED
    operator: Verdict = Verdict.ALLOWED
    admin: Verdict = Verdict.ALLOWED
    remedy: str = ""
    field: str = ""
    is_public: bool = False
    admits: Callable[[Principal], bool] = lambda _: True
    permits: Callable[[Principal, Arguments], bool] | None = None

    def admit(self) -> None:
        """Raise `UnauthenticatedError` or `ForbiddenError` for who can't be meant at all."""
        if not self.is_public and not self.admits(principal()):
            raise self.refusal()

    def permit(self, arguments: Arguments) -> None:
        """Raise `ForbiddenError` for who is not meant by these arguments."""
        if self.permits is not None and not self.permits(principal(), arguments):
            raise self.refusal()

    def refusal(self) -> ForbiddenError:
        """What is said to who is not meant."""
        problems = (
            [FieldProblem(field=self.field, message="is none of yours")] if self.field else []
        )
        return ForbiddenError(self.remedy, problems=problems)

    def verdict(self, caller: Caller) -> Verdict:
        """How a call turns out for this sort of caller."""
        match caller:
            case Caller.NOBODY:
                return self.nobody
            case Caller.ANOTHER:
                return self.another
            case Caller.ITSELF:
                return self.itself
            case Caller.OPERATOR:
                return self.operator
            case Caller.ADMIN:
                return self.admin


def viewer() -> Viewer:
    """Whose things the current request may see. Raises `UnauthenticatedError`."""
    return principal().viewer


def refusal_as(sender: AgentId) -> ForbiddenError | None:
    """Why the current request may not send as this agent; None if it may."""
    return None if principal().may_act_as(sender) else AS_SENDER.refusal()


_ONLY_ITSELF: Final[dict[str, Any]] = {
    "another": Verdict.FORBIDDEN,
    "operator": Verdict.FORBIDDEN,
    "admin": Verdict.FORBIDDEN,
}

PUBLIC: Final = Access(
    name="everybody", nobody=Verdict.ALLOWED, another=Verdict.ALLOWED, is_public=True
)

KNOWN: Final = Access(name="whoever is known", another=Verdict.ALLOWED)

VISIBLE: Final = Access(name="its sender, its recipients, operators", another=Verdict.HIDDEN)
ITS_SENDER: Final = Access(name="its sender, operators", another=Verdict.HIDDEN)
ITS_RECIPIENT: Final = Access(name="its recipient, operators", another=Verdict.HIDDEN)
"""One thing. The broker has it, so the broker looks whose it is: it is not there for others."""

VISIBLE_OF_ALL: Final = Access(name="whoever is known", another=Verdict.OWN, itself=Verdict.OWN)
"""A list, of which the broker gives the caller's part."""

REGISTRANT: Final = Access(
    name="the agent, operators; others as WAYSTATION_REGISTRATION says",
    nobody=Verdict.UNAUTHENTICATED,
    another=Verdict.FORBIDDEN,
    is_public=True,
)
"""The broker decides, because nobody may ask as well (broker.security.enrolment).

The verdicts are those where registration is closed.
"""

AS_PATH_AGENT: Final = Access(
    name="the agent",
    **_ONLY_ITSELF,
    remedy="This is for the agent that the path names; use a key with its scope.",
    permits=lambda who, given: who.may_act_as(given["agent_id"]),
)

AS_PATH_AGENT_OR_OPERATOR: Final = Access(
    name="the agent, operators",
    another=Verdict.FORBIDDEN,
    remedy="This is for the agent that the path names, and for operators.",
    permits=lambda who, given: who.is_operator or who.may_act_as(given["agent_id"]),
)

AS_BODY_AGENT: Final = Access(
    name="the agent",
    **_ONLY_ITSELF,
    remedy="agent_id must be an agent that your key speaks for.",
    field="agent_id",
    permits=lambda who, given: who.may_act_as(given["body"].agent_id),
)

AS_SENDER: Final = Access(
    name="the sender",
    **_ONLY_ITSELF,
    remedy="from must be an agent that your key speaks for.",
    field="from",
    permits=lambda who, given: who.may_act_as(given["body"].sender),
)

AS_EACH_SENDER: Final = Access(
    name="the sender of each",
    another=Verdict.OWN,
    itself=Verdict.OWN,
    operator=Verdict.OWN,
    admin=Verdict.OWN,
)
"""A batch: what is from another is refused item by item (`refusal_as`), and the rest goes on."""

OPERATOR: Final = Access(
    name="operators",
    another=Verdict.FORBIDDEN,
    itself=Verdict.FORBIDDEN,
    remedy="This is for operators; use a key with the scope operator.",
    admits=lambda who: who.is_operator,
)

ADMIN: Final = Access(
    name="admins",
    another=Verdict.FORBIDDEN,
    itself=Verdict.FORBIDDEN,
    operator=Verdict.FORBIDDEN,
    remedy="This is for admins; use a key with the scope admin.",
    admits=lambda who: who.is_admin,
)

# --- channels -----------------------------------------------------------------------------------

AS_OWNER: Final = Access(
    name="the owner",
    **_ONLY_ITSELF,
    remedy="owner must be an agent that your key speaks for.",
    permits=lambda who, given: who.may_act_as(given["body"].owner),
)

IN_CHANNEL: Final = Access(name="its members, anybody if public", another=Verdict.HIDDEN)
ITS_MEMBERS: Final = Access(name="its members, operators", another=Verdict.HIDDEN)
ITS_OWNER: Final = Access(name="its owner, operators", another=Verdict.HIDDEN)
"""One channel. The broker looks who is in it; the verdicts are those of a private one."""
