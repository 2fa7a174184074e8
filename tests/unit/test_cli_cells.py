"""How values read on the command line."""

from datetime import UTC, datetime, timedelta

import pytest

from waystation.cli.cells import ago, plain, printable, readable

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_text_of_others_can_not_steer_a_terminal() -> None:
    hostile = "\x1b]0;owned\x07 \x1b[2J \u202egnp.exe \x9b31m\r over"

    shown = printable(hostile)

    assert shown == "\\x1b]0;owned\\x07 \\x1b[2J \\u202egnp.exe \\x9b31m\\r over"


def test_lines_and_letters_of_all_scripts_stay_as_they_are() -> None:
    text = "zwei\nZeilen\tund 日本語 🚉"

    assert printable(text) == text
    assert printable("of\r\nWindows") == "of\nWindows"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (NOW, "2026-11-21T12:00:00Z"),
        (["a", "b"], "a, b"),
        ({"tag": "x"}, '{"tag":"x"}'),
        ("two\nlines\tand \\n", "two\\nlines\\tand \\\\n"),
        (3, "3"),
    ],
)
def test_a_program_reads_a_value_whole_and_on_one_line(value: object, text: str) -> None:
    assert plain(value) == text


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (timedelta(seconds=5), "5 s ago"),
        (timedelta(minutes=5), "5 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=5), "5 d ago"),
        (timedelta(seconds=-30), "in 30 s"),
    ],
)
def test_a_person_reads_how_far_away_a_moment_is(before: timedelta, text: str) -> None:
    assert ago(NOW - before, now=NOW) == text
    assert readable(NOW - before, now=NOW) == text
