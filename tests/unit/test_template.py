"""Variables in the subject and body of recurring messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.messaging.template import VARIABLES, problem_of, rendered


@given(st.text().filter(lambda text: "{{" not in text))
def test_text_without_variables_stays_as_it_is(text: str) -> None:
    assert problem_of(text) is None
    assert rendered(text, {}) == text


@given(st.sampled_from(sorted(VARIABLES)), st.text())
def test_a_value_is_put_in_once_whatever_it_holds(name: str, value: str) -> None:
    assert rendered(f"<{{{{ {name} }}}}>", {name: value}) == f"<{value}>"


def test_four_braces_stand_for_two() -> None:
    assert problem_of("{{{{count}}") is None
    assert rendered("{{{{count}}", {}) == "{{count}}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{", "without a variable"),
        ("{{ date", "without a variable"),
        ("{{ now() }}", "without a variable"),
        ("{{ ''.__class__ }}", "without a variable"),
        ("{{dat}}", "unknown variable 'dat'"),
    ],
)
def test_what_is_no_variable_is_named(text: str, said: str) -> None:
    problem = problem_of(text)

    assert problem is not None
    assert said in problem
    assert "{{scheduled_at}}" in problem
