"""A script that is given lists behind its named keys and arguments unpacks only the named ones."""

from broker.storage.scripts import Script

SOURCE = """\
-- Count things.
-- outcomes: counted
local first, second = unpack(KEYS)
local named = unpack(ARGV)
return { 'counted', #KEYS + #ARGV }
"""


def test_the_first_lines_unpack_no_more_than_they_name() -> None:
    script = Script("count", SOURCE)

    assert "local first, second = unpack(KEYS, 1, 2)\n" in script.text
    assert "local named = unpack(ARGV, 1, 1)\n" in script.text


def test_a_call_still_checks_its_names_against_the_file() -> None:
    script = Script("count", SOURCE)

    assert script.key_names == ("first", "second")
    assert script.argument_names == ("named",)
