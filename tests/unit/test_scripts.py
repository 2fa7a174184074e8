"""The loader of Lua transitions, and what holds for every script."""

from pathlib import Path

import pytest

import broker
from broker.storage.scripts import Script, ScriptError

BROKER = Path(broker.__file__).parent
FILES = sorted(path for path in BROKER.rglob("lua/*.lua"))
SOURCE = """-- Do something.
-- outcomes: done, refused
local inbox, leased = unpack(KEYS)
local limit, token = unpack(ARGV)
-- include: clock
return { 'done', server_ms() }
"""


def test_a_script_is_described_by_its_file() -> None:
    script = Script("example", SOURCE)

    assert script.outcomes == {"done", "refused"}
    assert script.key_names == ("inbox", "leased")
    assert script.argument_names == ("limit", "token")
    assert "local function server_ms()" in script.text


def test_names_are_put_into_their_order() -> None:
    script = Script("example", SOURCE)

    call = script.bind(
        keys={"leased": "l", "inbox": "i"},
        args={"token": "t", "limit": 5},
        more_keys=["k"],
        more_args=["a"],
    )

    assert call.evalsha() == ("EVALSHA", script.sha, 3, "i", "l", "k", 5, "t", "a")
    assert call.eval() == ("EVAL", script.text, 3, "i", "l", "k", 5, "t", "a")


@pytest.mark.parametrize(
    ("keys", "args"),
    [
        ({"inbox": "i"}, {"limit": 1, "token": "t"}),
        ({"inbox": "i", "leased": "l", "waiting": "w"}, {"limit": 1, "token": "t"}),
        ({"inbox": "i", "leased": "l"}, {"limit": 1}),
        ({"inbox": "i", "leased": "l"}, {"limit": 1, "tokens": "t"}),
    ],
)
def test_a_call_that_does_not_fit_the_file_is_refused(
    keys: dict[str, str], args: dict[str, str | int]
) -> None:
    with pytest.raises(ScriptError, match=r"example\.lua takes"):
        Script("example", SOURCE).bind(keys=keys, args=args)


def test_a_reply_becomes_a_named_outcome() -> None:
    outcome = Script("example", SOURCE).outcome([b"done", 5])

    assert (outcome.name, outcome.values) == ("done", (5,))


@pytest.mark.parametrize("reply", [None, [], 5, [b"surprise"]])
def test_a_reply_that_names_no_declared_outcome_is_a_defect(reply: object) -> None:
    with pytest.raises(ScriptError):
        Script("example", SOURCE).outcome(reply)


def test_a_script_without_outcomes_is_refused() -> None:
    with pytest.raises(ScriptError, match="declares no outcomes"):
        Script("example", "return {}")


@pytest.mark.parametrize("file", FILES, ids=[path.stem for path in FILES])
def test_every_script_says_what_it_does_and_declares_what_it_returns(file: Path) -> None:
    source = file.read_text()
    first, second, *_ = source.splitlines()

    assert first.startswith("-- ")
    assert second.startswith("-- outcomes: ")
    script = Script.load(file.parent, file.stem)
    assert all(f"'{name}'" in script.text for name in script.outcomes)


@pytest.mark.parametrize("file", FILES, ids=[path.stem for path in FILES])
def test_no_script_walks_over_all_keys_or_builds_their_names(file: Path) -> None:
    source = file.read_text()

    for forbidden in ("'KEYS'", "'SCAN'", "'FLUSH", "math.random"):
        assert forbidden not in source
