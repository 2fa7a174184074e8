"""Every error of the client has an exit code that a script can go by."""

import pytest

from waystation import errors
from waystation.answers import Problem
from waystation.cli.exit_codes import ExitCode, exit_code_of
from waystation.errors import ProblemError, error_of

pytestmark = pytest.mark.unit


def _problem(status: int, code: str) -> ProblemError:
    return error_of(
        Problem(code=code, status=status, detail="No.", title="No", type="about:blank", errors=[])
    )


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "malformed", 8),
        (401, "unauthenticated", 5),
        (403, "forbidden", 5),
        (403, "not_a_member", 5),
        (404, "unknown_agent", 3),
        (404, "some_new_thing_not_found", 3),
        (409, "stale_lease", 4),
        (413, "message_too_large", 8),
        (422, "invalid_fields", 8),
        (429, "rate_limited", 9),
        (429, "inbox_full", 9),
        (500, "internal_error", 1),
        (503, "storage_unavailable", 6),
    ],
)
def test_a_refusal_ends_with_the_code_of_its_family(status: int, code: str, exit_code: int) -> None:
    assert exit_code_of(_problem(status, code)) == exit_code


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (errors.ConfigurationError("?"), 2),
        (errors.UnreachableError("?"), 6),
        (errors.UnexpectedAnswerError("?"), 6),
        (errors.TicketTimeoutError("msg_1"), 7),
    ],
)
def test_what_the_client_itself_raises_has_a_code(
    error: errors.WaystationError, exit_code: int
) -> None:
    assert exit_code_of(error) == exit_code


_FAMILIES = [kind for kind in ProblemError.__subclasses__() if not kind.code]


@pytest.mark.parametrize("family", _FAMILIES, ids=lambda family: family.__name__)
def test_no_family_of_refusals_is_just_a_failure(family: type[ProblemError]) -> None:
    problem = Problem(code="x", status=499, detail="No.", title="", type="", errors=[])

    assert exit_code_of(family(problem)) != ExitCode.FAILED
