"""What can go wrong, as exceptions; a problem document becomes the class of its code.

Catch `WaystationError` for all of them, a class of a status (`NotFoundError`, `ConflictError`, …)
for a family, or that of a code (`StaleLeaseError`) for one meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from waystation.answers import Problem, ProblemField


class WaystationError(Exception):
    """Anything that this client raises on purpose."""


class ConfigurationError(WaystationError):
    """What the client was told about the station or itself can't be used."""


class UnreachableError(WaystationError):
    """The station did not answer, or not in time; what was asked may or may not have happened."""


class UnexpectedAnswerError(WaystationError):
    """What answered is not a station, or one of another version."""


class TicketTimeoutError(WaystationError):
    """Nobody answered the question in time; a late reply still comes to the asker's inbox."""

    def __init__(self, ticket_id: str) -> None:
        super().__init__(f"Nobody answered {ticket_id} in time.")
        self.ticket_id = ticket_id


class ProblemError(WaystationError):
    """The station refused; its problem document (RFC 9457) says why, and what to do."""

    code: ClassVar[str] = ""

    def __init__(self, problem: Problem, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.retry_after_seconds = retry_after_seconds
        """When the station asks to come back; None where it said nothing."""

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self.problem.status

    @property
    def fields(self) -> list[ProblemField]:
        """Every offending field, for what is invalid."""
        return self.problem.errors

    def __str__(self) -> str:
        """The sentence, with the fields that it is about."""
        fields = "; ".join(f"{one.field}: {one.message}" for one in self.fields)
        return f"{self.problem.detail} ({fields})" if fields else self.problem.detail


class InvalidError(ProblemError):
    """What was sent can't be taken as it is (400, 413, 415, 422)."""


class MalformedError(InvalidError):
    """The request is not the JSON document that the station expects."""

    code = "malformed"


class InvalidFieldsError(InvalidError):
    """Fields are wrong; `fields` names them all."""

    code = "invalid_fields"


class MessageTooLargeError(InvalidError):
    """The message is larger than the station takes."""

    code = "message_too_large"


class RequestTooLargeError(InvalidError):
    """The request is larger than the station reads."""

    code = "request_too_large"


class UnsupportedMediaTypeError(InvalidError):
    """The request was not declared to be JSON."""

    code = "unsupported_media_type"


class MethodNotAllowedError(InvalidError):
    """The path knows other methods."""

    code = "method_not_allowed"


class UnauthenticatedError(ProblemError):
    """The station asks for a token, and none or none that holds was sent (401)."""

    code = "unauthenticated"


class ForbiddenError(ProblemError):
    """The token does not allow this (403)."""

    code = "forbidden"


class NotAMemberError(ForbiddenError):
    """The channel takes messages from its members only."""

    code = "not_a_member"


class ForeignOriginError(ForbiddenError):
    """The station takes the call for one of a foreign page in a browser."""

    code = "foreign_origin"


class NotFoundError(ProblemError):
    """It is not there, or not for the caller to see (404)."""

    code = "not_found"


class UnknownAgentError(NotFoundError):
    """No agent of this id is registered; the sentence has near names."""

    code = "unknown_agent"


class NoRecipientsError(NotFoundError):
    """The target matches nobody."""

    code = "no_recipients"


class MessageNotFoundError(NotFoundError):
    """There is no such message, or it has left the station since."""

    code = "message_not_found"


class ThreadNotFoundError(NotFoundError):
    """There is no such thread."""

    code = "thread_not_found"


class TicketNotFoundError(NotFoundError):
    """There is no such ticket."""

    code = "ticket_not_found"


class ChannelNotFoundError(NotFoundError):
    """There is no such channel."""

    code = "channel_not_found"


class DeadLetterNotFoundError(NotFoundError):
    """There is no such dead letter."""

    code = "dead_letter_not_found"


class RecurringNotFoundError(NotFoundError):
    """There is no such recurring message."""

    code = "recurring_not_found"


class WebhookNotFoundError(NotFoundError):
    """The agent has no webhook."""

    code = "webhook_not_found"


class DiscoveryNotFoundError(NotFoundError):
    """Nothing was looked for, or nothing was found under this id."""

    code = "discovery_not_found"


class KeyNotFoundError(NotFoundError):
    """There is no such key."""

    code = "key_not_found"


class InvitationNotFoundError(NotFoundError):
    """There is no such invitation."""

    code = "invitation_not_found"


class ConflictError(ProblemError):
    """It can't be done in the state that things are in (409)."""

    code = "conflict"


class StaleLeaseError(ConflictError):
    """The lease is over: the message is, or will be, somebody else's. Stop working on it."""

    code = "stale_lease"


class StaleEpochError(ConflictError):
    """A newer session of the agent has taken over from this one."""

    code = "stale_epoch"


class IdempotencyConflictError(ConflictError):
    """The idempotency key was used for another message."""

    code = "idempotency_conflict"


class NotWaitingError(ConflictError):
    """The message does not wait any more, so that it can't be withdrawn."""

    code = "not_waiting"


class NotClaimedError(ConflictError):
    """The message is offered to several and has to be claimed first."""

    code = "not_claimed"


class NotClaimableError(ConflictError):
    """The message is not one that is claimed."""

    code = "not_claimable"


class ClaimHeldError(ConflictError):
    """Another has claimed the message."""

    code = "claim_held"


class ClaimDoneError(ConflictError):
    """The message was claimed and is done."""

    code = "claim_done"


class RenewClaimError(ConflictError):
    """A claim is kept by renewing it, not by extending a lease."""

    code = "renew_claim"


class DeadLetterClosedError(ConflictError):
    """The dead letter was dealt with already."""

    code = "dead_letter_closed"


class RecurringEndedError(ConflictError):
    """The recurring message has ended."""

    code = "recurring_ended"


class AgentTakenError(ConflictError):
    """The agent's id belongs to somebody else."""

    code = "agent_taken"


class TooManyError(ProblemError):
    """Too much for now (429); `retry_after_seconds` says when to come back."""


class RateLimitedError(TooManyError):
    """The caller asked more often than it may."""

    code = "rate_limited"


class InboxFullError(TooManyError):
    """A recipient's inbox is full."""

    code = "inbox_full"


class UnavailableError(ProblemError):
    """The station can't do it now (5xx); nothing was half done."""


class StorageUnavailableError(UnavailableError):
    """The station's Redis is away."""

    code = "storage_unavailable"


class StorageFullError(UnavailableError):
    """The station's Redis is full."""

    code = "storage_full"


class IdentityUnavailableError(UnavailableError):
    """The station can't check tokens now."""

    code = "identity_unavailable"


class DataVersionError(UnavailableError):
    """The data in Redis is of another version of the station."""

    code = "data_version"


class NotReadyError(UnavailableError):
    """The station is not ready."""

    code = "not_ready"


class InternalError(UnavailableError):
    """The station failed; its log says why, under the id in the sentence."""

    code = "internal_error"


_FAMILIES: dict[int, type[ProblemError]] = {
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    429: TooManyError,
}
_SERVER_ERROR = 500


def error_of(problem: Problem, *, retry_after_seconds: float | None = None) -> ProblemError:
    """The exception of a problem document; of an unknown code, that of its status."""
    kind = _BY_CODE.get(problem.code)
    if kind is None:
        fallback = UnavailableError if problem.status >= _SERVER_ERROR else InvalidError
        kind = _FAMILIES.get(problem.status, fallback)
    return kind(problem, retry_after_seconds=retry_after_seconds)


def _classes(base: type[ProblemError]) -> Iterator[type[ProblemError]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _classes(kind)


_BY_CODE = {kind.code: kind for kind in _classes(ProblemError) if kind.code}
