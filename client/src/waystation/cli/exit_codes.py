"""What the exit status of the command line means."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from waystation import errors


class ExitCode(IntEnum):
    """The status that a script can go by."""

    DONE = 0
    FAILED = 1
    """Something else; the message says what."""
    USAGE = 2
    """The call itself or the configuration is wrong."""
    NOT_FOUND = 3
    CONFLICT = 4
    """Not in the state that things are in, such as a lease that is over."""
    NOT_ALLOWED = 5
    UNREACHABLE = 6
    """No station answers there, or it can't do its work now."""
    TIMEOUT = 7
    """Nothing came in time."""
    INVALID = 8
    TOO_MANY = 9
    INTERRUPTED = 130


_MEANINGS: Final[tuple[tuple[type[errors.WaystationError], ExitCode], ...]] = (
    (errors.ConfigurationError, ExitCode.USAGE),
    (errors.TicketTimeoutError, ExitCode.TIMEOUT),
    (errors.NotFoundError, ExitCode.NOT_FOUND),
    (errors.ConflictError, ExitCode.CONFLICT),
    (errors.UnauthenticatedError, ExitCode.NOT_ALLOWED),
    (errors.ForbiddenError, ExitCode.NOT_ALLOWED),
    (errors.TooManyError, ExitCode.TOO_MANY),
    (errors.InvalidError, ExitCode.INVALID),
    (errors.InternalError, ExitCode.FAILED),
    (errors.UnavailableError, ExitCode.UNREACHABLE),
    (errors.UnreachableError, ExitCode.UNREACHABLE),
    (errors.UnexpectedAnswerError, ExitCode.UNREACHABLE),
)
"""The first that fits holds."""


def exit_code_of(error: errors.WaystationError) -> ExitCode:
    """The status with which a command ends that failed with this error."""
    for kind, code in _MEANINGS:
        if isinstance(error, kind):
            return code
    return ExitCode.FAILED
