"""The client's exceptions stand for the same codes and statuses as the station's table."""

import pytest

from app.errors import STATUS_OF, document
from waystation.answers import Problem, ProblemField
from waystation.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    TooManyError,
    UnauthenticatedError,
    UnavailableError,
    error_of,
)

pytestmark = pytest.mark.contract

FAMILY_OF = {
    400: InvalidError,
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    405: InvalidError,
    409: ConflictError,
    413: InvalidError,
    415: InvalidError,
    422: InvalidError,
    429: TooManyError,
    500: UnavailableError,
    503: UnavailableError,
}


def problem_of(code: str) -> Problem:
    said = document(code, "Because.")
    fields = [ProblemField(field=one["field"], message=one["message"]) for one in said["errors"]]
    return Problem(
        type=said["type"],
        title=said["title"],
        status=said["status"],
        detail=said["detail"],
        code=said["code"],
        errors=fields,
    )


@pytest.mark.parametrize("code", STATUS_OF)
def test_every_code_of_the_station_is_a_class_of_the_client(code: str) -> None:
    error = error_of(problem_of(code))

    assert error.code == code, "the client knows this code by its status only"
    assert isinstance(error, FAMILY_OF[STATUS_OF[code].value])


def test_an_unknown_code_is_known_by_its_status() -> None:
    newer = Problem(
        type="", title="", status=409, detail="New.", code="of_a_later_version", errors=[]
    )

    assert type(error_of(newer)) is ConflictError
