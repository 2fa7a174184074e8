"""How a command fails: a sentence, what to do next, and an exit code that tells it apart."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import IO, Any, Final

import click
import msgspec

from waystation import errors
from waystation.cli.cells import printable
from waystation.cli.exit_codes import ExitCode, exit_code_of

_NEXT_STEPS: Final[dict[type[errors.WaystationError], str]] = {
    errors.UnreachableError: (
        "Is it running, and there? --url, WAYSTATION_URL or a profile say where it is;"
        " `waystation doctor` finds out more."
    ),
    errors.UnexpectedAnswerError: (
        "Does the URL lead to a station, and not to something else? `waystation doctor` finds out."
    ),
    errors.UnauthenticatedError: (
        "Give a token: --token-file, WAYSTATION_TOKEN, WAYSTATION_TOKEN_FILE, or a profile."
    ),
    errors.UnknownAgentError: "`waystation agents list` shows who is registered.",
    errors.StaleLeaseError: "The message is, or will be, somebody else's: stop working on it.",
}
"""What to do, where the station's own sentence doesn't say it."""


class Failure(click.ClickException):
    """What ends a command; it is told on stderr, and the exit code tells it apart."""

    def __init__(
        self,
        sentence: str,
        *,
        exit_code: ExitCode = ExitCode.FAILED,
        code: str = "failed",
        next_step: str | None = None,
    ) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code  # type: ignore[misc]  # click reads the instance's
        self.code = code
        self.next_step = next_step
        self.as_json = False

    def document(self) -> object:
        """The failure as a problem document; of a status where a station gave one."""
        document: dict[str, Any] = {
            "type": f"urn:waystation:problem:{self.code}",
            "title": self.code.replace("_", " ").capitalize(),
            "code": self.code,
            "detail": self.message,
            "errors": [],
        }
        return document

    def lines(self) -> Iterator[str]:
        """The failure for people."""
        yield f"Error: {self.message}"
        if self.next_step:
            yield self.next_step

    def show(self, file: IO[Any] | None = None) -> None:
        """Tell it."""
        stream = file or sys.stderr
        if self.as_json:
            click.echo(msgspec.json.encode(self.document()).decode(), file=stream)
            return
        for line in self.lines():
            click.echo(printable(line), file=stream)


class StationFailure(Failure):
    """What the client raised on purpose."""

    def __init__(self, error: errors.WaystationError, *, next_step: str | None = None) -> None:
        super().__init__(
            str(error),
            exit_code=exit_code_of(error),
            code=_code_of(error),
            next_step=next_step or _next_step(error),
        )
        self.error = error

    def document(self) -> object:
        """The station's own document, where it is one that refused."""
        if isinstance(self.error, errors.ProblemError):
            return self.error.problem
        return super().document()

    def lines(self) -> Iterator[str]:
        """The sentence, a line for each field that it is about, and what to do."""
        if not isinstance(self.error, errors.ProblemError):
            yield from super().lines()
            return
        yield f"Error: {self.error.problem.detail}"
        for field in self.error.fields:
            yield f"  {field.field}: {field.message}"
        if self.next_step:
            yield self.next_step


@contextlib.contextmanager
def advising(kind: type[errors.WaystationError], next_step: str) -> Iterator[None]:
    """Say what to do next where this error ends the command."""
    try:
        yield
    except kind as error:
        raise StationFailure(error, next_step=next_step) from error


def _code_of(error: errors.WaystationError) -> str:
    if isinstance(error, errors.ProblemError):
        return error.problem.code
    return {
        errors.ConfigurationError: "configuration",
        errors.TicketTimeoutError: "timeout",
        errors.UnreachableError: "unreachable",
        errors.UnexpectedAnswerError: "unexpected_answer",
    }.get(type(error), "failed")


def _next_step(error: errors.WaystationError) -> str | None:
    if isinstance(error, errors.TooManyError) and error.retry_after_seconds:
        return f"Come back in {error.retry_after_seconds:g} seconds."
    return next((step for kind, step in _NEXT_STEPS.items() if isinstance(error, kind)), None)
