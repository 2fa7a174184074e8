"""What the pages show is compared with what is printed: strictly, but for placeholders."""

import pytest

from tests.docs.blocks import Command, commands_of
from tests.docs.output import matches, matches_json

ONE_ID, OTHER_ID = "msg_01M7XS4DDG4B3WJ125867K7A15", "msg_01M7XS4DDG4B3WJ125867K7A16"


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("alice  says hi", "alice says   hi\n"),
        (f"sent {ONE_ID}", f"sent {OTHER_ID}"),
        ("at 2026-11-20T21:36:46.091Z", "at 2027-01-01T00:00:00Z"),
        ("a … c", "a b b c"),
        ("a\n…\nc", "a\nb\nb\nc"),
        ("a\n…\nc", "a\nc"),
        ("", "\n"),
    ],
)
def test_it_is_as_shown(shown: str, printed: str) -> None:
    assert matches(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("alice says hi", "alice says ho"),
        ("a", "a\nb"),
        ("a\nb", "a"),
        ("", "something"),
        (f"sent {ONE_ID}", "sent dlq_01M7XS4DDG4B3WJ125867K7A15"),
        ("a … c", "a\nc"),
        ("3 messages", "4 messages"),
    ],
)
def test_it_is_not_as_shown(shown: str, printed: str) -> None:
    assert not matches(shown, printed)


def test_json_may_be_spread_in_any_way_but_says_the_same() -> None:
    assert matches_json('{"a": 1,\n "b": …}', '{"a":1,"b":[2]}')
    assert not matches_json('{"a": 1}', '{"a":1,"b":2}')


def test_a_console_is_commands_with_what_each_prints() -> None:
    console = "$ one \\\n>   more\nprinted\n$ two\n"

    assert list(commands_of(console)) == [
        Command(text="one \\\n  more", printed="printed"),
        Command(text="two", printed=""),
    ]
