"""The one tree of errors that the broker raises; each edge translates it once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class FieldProblem:
    """One offending field of an input: its path (`messages.3.to`) and what to do about it."""

    field: str
    message: str


class BrokerError(Exception):
    """Something the caller asked for could not be done.

    `code` is stable and machine-readable, `permanent` says whether the same call can never
    succeed, `retry_after_seconds` when to try again if it can.
    """

    code = "broker_error"
    permanent = True

    def __init__(
        self,
        detail: str,
        *,
        problems: Iterable[FieldProblem] = (),
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = tuple(problems)
        self.retry_after_seconds = retry_after_seconds


class InvalidFieldsError(BrokerError):
    """The input is well formed, but these fields break a rule of the domain."""

    code = "invalid_fields"

    def __init__(self, problems: Iterable[FieldProblem]) -> None:
        found = tuple(problems)
        names = ", ".join(problem.field for problem in found)
        super().__init__(f"Correct these fields and send again: {names}.", problems=found)


class TooLargeError(BrokerError):
    """The message's body, payload and meta together are larger than the station accepts."""

    code = "message_too_large"


class UnauthenticatedError(BrokerError):
    """Nobody was proven to ask: no token, or none that holds (SPEC Z1)."""

    code = "unauthenticated"


class ForbiddenError(BrokerError):
    """Who asks is known, and may not do this (SPEC Z2)."""

    code = "forbidden"


class NotFoundError(BrokerError):
    """What the caller named does not exist, or no longer does."""

    code = "not_found"


class UnknownAgentError(NotFoundError):
    """No agent of that id is registered (SPEC M11); near names are suggested."""

    code = "unknown_agent"

    def __init__(self, agents: Iterable[str], near: Iterable[str] = (), *, field: str = "") -> None:
        missing, suggestions = tuple(agents), tuple(near)
        hint = f" Did you mean {', '.join(suggestions)}?" if suggestions else ""
        remedy = " Register it first, or send with hold_for_unknown=true." if field == "to" else ""
        super().__init__(
            f"No agent {', '.join(missing)} is registered.{hint}{remedy}",
            problems=[
                FieldProblem(field=field, message=f"unknown agent {name}")
                for name in missing
                if field
            ],
        )
        self.near = suggestions


class MessageNotFoundError(NotFoundError):
    """No message of that id is stored: it never was, or its retention has passed."""

    code = "message_not_found"


class DeadLetterNotFoundError(NotFoundError):
    """No dead letter of that id is kept."""

    code = "dead_letter_not_found"


class RecurringNotFoundError(NotFoundError):
    """No recurring message of that id exists."""

    code = "recurring_not_found"


class KeyNotFoundError(NotFoundError):
    """No key of that id is kept."""

    code = "key_not_found"


class InvitationNotFoundError(NotFoundError):
    """No invitation of that id is kept."""

    code = "invitation_not_found"


class ConflictError(BrokerError):
    """The call is right in itself, but not in the state that its object is in."""

    code = "conflict"


class StaleLeaseError(ConflictError):
    """The lease token is not the current one: the lease ended or was taken over (SPEC M6)."""

    code = "stale_lease"


class StaleEpochError(ConflictError):
    """A newer session of this agent has registered; this one may no longer act (SPEC R8)."""

    code = "stale_epoch"


class IdempotencyConflictError(ConflictError):
    """The same sender used this idempotency key for a different message (SPEC M4)."""

    code = "idempotency_conflict"


class NotWaitingError(ConflictError):
    """The message is past the point where it could be withdrawn (SPEC M13)."""

    code = "not_waiting"


class AgentTakenError(ConflictError):
    """The id is registered, or somebody's key speaks for it: a newcomer needs another one."""

    code = "agent_taken"


class InboxFullError(BrokerError):
    """The recipient's inbox is at its limit (SPEC M9, E12)."""

    code = "inbox_full"
    permanent = False


class RateLimitedError(BrokerError):
    """The caller asks for more in a time than it is allowed to (SPEC Z3)."""

    code = "rate_limited"
    permanent = False


class StorageUnavailableError(BrokerError):
    """Redis cannot be reached or is not ready; nothing was half done, try again."""

    code = "storage_unavailable"
    permanent = False


class StorageFullError(StorageUnavailableError):
    """Redis is out of memory and refuses writes; nothing was half done."""

    code = "storage_full"


class IdentityUnavailableError(BrokerError):
    """What a signed token would be checked with can't be fetched now."""

    code = "identity_unavailable"
    permanent = False


class DataVersionError(BrokerError):
    """The data in Redis does not fit this version or these settings; nothing was touched."""

    code = "data_version"
