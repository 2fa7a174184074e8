"""Files of other programs are changed in our part alone, and to the letter back again."""

import contextlib
import json
import tempfile
import tomllib
from pathlib import Path

import pytest
import tomlkit
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from waystation.connect import plan
from waystation.connect.client import Connection, Places, Scope
from waystation.connect.documents import Json, Toml, UnchangeableError, UnreadableError, found
from waystation.connect.json_tree import Dialect
from waystation.connect.ledger import Ledger
from waystation.connect.parts import disconnected
from waystation.connect.registry import BY_NAME
from waystation.connect.targets import SharedFile

pytestmark = pytest.mark.client

ALICE = Connection(agent="alice", program=("/bin/waystation",), allow=True)
BOB = Connection(agent="bob", program=("/bin/waystation",), settings={"WAYSTATION_URL": "http://x"})
PLACES = Places(home=Path("/home/x"), project=Path("/project/x"), environ={})

GEMINI = """\
{
  // my servers
  "mcpServers": {
    "files": { "command": "files" } // keep
  },
  "theme": "dark"
}
"""
GEMINI_CONNECTED = """\
{
  // my servers
  "mcpServers": {
    "files": { "command": "files" }, // keep
    "waystation": {
      "command": "/bin/waystation",
      "args": [
        "mcp",
        "--agent",
        "alice"
      ],
      "env": {},
      "timeout": 900000,
      "trust": true
    }
  },
  "theme": "dark"
}
"""
CODEX = """\
# mine
model = "o9"   # the best

[mcp_servers.files]
command = "files"

[projects."/project/x"]
trust_level = "trusted"
"""
CODEX_CONNECTED = (
    CODEX
    + """
[mcp_servers.waystation]
command = "/bin/waystation"
args = ["mcp", "--agent", "alice"]
env = {}
required = true
startup_timeout_sec = 30
tool_timeout_sec = 900
default_tools_approval_mode = "approve"
"""
)


def shared(client: str, connection: Connection, *, file: int = 0) -> SharedFile:
    target = BY_NAME[client].targets(connection, Scope.USER, PLACES)[file]
    assert isinstance(target, SharedFile)
    return target


def without_hooks(connection: Connection) -> Connection:
    return Connection(
        agent=connection.agent,
        program=connection.program,
        settings=connection.settings,
        allow=connection.allow,
        hooks=False,
    )


# -- golden ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "before", "after"),
    [("gemini", GEMINI, GEMINI_CONNECTED), ("codex", CODEX, CODEX_CONNECTED)],
)
def test_only_our_entry_comes_in_and_comments_stay(client: str, before: str, after: str) -> None:
    target = shared(client, without_hooks(ALICE))

    assert target.connected(before) == after
    assert target.connected(after) == after
    assert target.disconnected(after, None, is_known=False) == before


def test_a_minified_file_stays_on_its_line() -> None:
    before = '{"a":1,"mcpServers":{"x":{}}}'

    after = shared("claude", ALICE).connected(before)

    assert after.startswith('{"a":1,"mcpServers":{"x":{},"waystation":{"type":"stdio",')
    assert "\n" not in after


def test_trailing_commas_stay_where_the_client_takes_them() -> None:
    before = '{\n  "mcp": {\n    "x": {"type": "local"},\n  },\n}\n'
    target = shared("opencode", without_hooks(BOB))

    after = target.connected(before)

    assert '    "x": {"type": "local"},\n    "waystation": {\n' in after
    assert after.endswith("    },\n  },\n}\n")
    assert target.disconnected(after, None, is_known=False) == before


def test_another_agent_takes_the_place_of_the_first_and_approvals_stay() -> None:
    first = shared("codex", ALICE).connected(CODEX)
    kept = '\n[mcp_servers.waystation.tools.bus_send]\napproval_mode = "approve"\n'

    second = shared("codex", BOB).connected(first + kept)

    entry = tomllib.loads(second)["mcp_servers"]["waystation"]
    assert entry["args"] == ["mcp", "--agent", "bob"]
    assert entry["env"] == {"WAYSTATION_URL": "http://x"}
    assert entry["tools"] == {"bus_send": {"approval_mode": "approve"}}
    assert shared("codex", BOB).disconnected(second, None, is_known=False) == CODEX


def test_the_hooks_of_an_earlier_agent_are_replaced_and_those_of_others_stay() -> None:
    other = {"hooks": [{"type": "command", "command": "say done"}]}
    before = json.dumps({"hooks": {"Stop": [other]}}, indent=4)
    first = shared("claude", ALICE, file=1).connected(before)

    second = shared("claude", BOB, file=1).connected(first)

    stops = json.loads(second)["hooks"]["Stop"]
    assert stops[0] == other
    assert [" --agent bob " in group["hooks"][0]["command"] for group in stops[1:]] == [True]


def test_a_server_of_our_name_that_is_reached_otherwise_is_replaced_and_comes_back() -> None:
    before = '{\n  "mcpServers": {\n    "waystation": {"httpUrl": "http://x/mcp"}\n  }\n}\n'
    target = shared("gemini", without_hooks(ALICE))

    after = target.connected(before)

    assert "httpUrl" not in json.loads(after)["mcpServers"]["waystation"]
    undone = target.disconnected(after, before, is_known=True)
    assert undone is not None
    assert json.loads(undone) == json.loads(before)


def test_what_the_user_changed_since_stays_when_we_leave() -> None:
    target = shared("gemini", ALICE)
    edited = target.connected(GEMINI).replace('"dark"', '"light" /* nicer */')

    assert target.disconnected(edited, GEMINI, is_known=True) == GEMINI.replace(
        '"dark"', '"light" /* nicer */'
    )


@pytest.mark.parametrize(
    ("notation", "text", "where"),
    [
        (Json(Dialect.STRICT), '{\n  "a": 1,\n}', "line 3, column 1"),
        (Json(Dialect.STRICT), '{\n  // no\n  "a": 1}', "line 2, column 3"),
        (Json(Dialect.COMMENTS), '{"a": tru}', "line 1, column 7"),
        (Json(Dialect.RELAXED), '{"a": 1', "line 1, column 8"),
        (Json(Dialect.RELAXED), "[]", "no object"),
        (Toml(), 'a = 1\nb = "x\n', "line 2, column"),
    ],
)
def test_a_broken_file_is_refused_with_the_place(
    notation: Json | Toml, text: str, where: str
) -> None:
    with pytest.raises(UnreadableError, match=where):
        notation.read(text)


def test_what_can_not_be_changed_without_harm_is_refused() -> None:
    with pytest.raises(UnchangeableError, match="permission is no table"):
        shared("opencode", ALICE).connected('{"permission": "ask"}')
    with pytest.raises(UnchangeableError):
        shared("codex", ALICE).connected('mcp_servers = { a = { command = "b" } }\n')


# -- properties ------------------------------------------------------------------------------------

_keys = st.one_of(
    st.sampled_from(["mcpServers", "mcp", "hooks", "Stop", "permissions", "allow", "waystation"]),
    st.text(max_size=6),
)
_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
_values = st.recursive(
    _leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_keys, inner, max_size=3)),
    max_leaves=8,
)
_filler = st.sampled_from(
    ["", " ", "\n", "\n  ", "\t", "\r\n", " // a, } note\n", "/* { */", "\n\n"]
)


@st.composite
def written(draw: st.DrawFn, value: object, *, comments: bool) -> str:
    """JSON as somebody may have written it: any spacing, and comments where they are allowed."""

    def space() -> str:
        filler = draw(_filler)
        return filler if comments or "/" not in filler else " "

    def render(one: object) -> str:
        if isinstance(one, dict):
            members = (
                f"{space()}{json.dumps(key, ensure_ascii=draw(st.booleans()))}{space()}:"
                f"{space()}{render(item)}{space()}"
                for key, item in one.items()
            )
            return "{" + (",".join(members) or space()) + "}"
        if isinstance(one, list):
            return "[" + (",".join(f"{space()}{render(item)}{space()}" for item in one)) + "]"
        return json.dumps(one)

    return space() + render(value) + space()


CASES = [
    ("claude", 0, Dialect.STRICT),
    ("claude", 1, Dialect.STRICT),
    ("codex", 1, Dialect.STRICT),
    ("gemini", 0, Dialect.COMMENTS),
    ("opencode", 0, Dialect.RELAXED),
]


@given(st.data(), st.dictionaries(_keys, _values, max_size=4), st.sampled_from(CASES))
@settings(max_examples=300, deadline=None)
def test_any_json_keeps_what_it_says_and_comes_back(
    data: st.DataObject, value: dict[str, object], case: tuple[str, int, Dialect]
) -> None:
    client, file, dialect = case
    before = data.draw(written(value, comments=dialect is not Dialect.STRICT))
    notation, target = Json(dialect), shared(client, ALICE, file=file)
    assert notation.read(before) == value

    try:
        after = target.connected(before)
    except UnchangeableError:
        return

    assert target.connected(after) == after
    undone = target.disconnected(after, before, is_known=True)
    assert undone is not None
    assert notation.read(undone) == value
    if dialect is not Dialect.STRICT:
        assert undone.count("// a, } note") == before.count("// a, } note")


@given(st.data(), st.dictionaries(_keys, _values, max_size=4), st.sampled_from(CASES))
@settings(max_examples=100, deadline=None)
def test_what_was_written_and_taken_back_is_the_file_to_the_letter(
    data: st.DataObject, value: dict[str, object], case: tuple[str, int, Dialect]
) -> None:
    client, file, dialect = case
    before = data.draw(written(value, comments=dialect is not Dialect.STRICT)).encode()
    with tempfile.TemporaryDirectory() as home:
        places = Places(home=Path(home), project=Path(home), environ={})
        targets = [BY_NAME[client].targets(ALICE, Scope.USER, places)[file]]
        path, ledger = targets[0].path, Ledger(Path(home) / "state")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(before)

        with contextlib.suppress(plan.ConnectError):
            plan.write(plan.connecting(targets, ledger), ledger)
            plan.write(plan.disconnecting(targets, ledger), ledger)

        assert path.read_bytes() == before


_bare = st.text("abcdefg_-", min_size=1, max_size=5)
_toml_keys = st.one_of(_bare, st.sampled_from(["mcp_servers", "waystation"]), st.text(max_size=4))
_toml_leaves = st.one_of(
    st.booleans(), st.integers(-(2**40), 2**40), st.text(max_size=6), st.dates(), st.floats()
)
_toml = st.dictionaries(
    _toml_keys,
    st.recursive(
        _toml_leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(_toml_keys, inner, max_size=3)
        ),
        max_leaves=8,
    ),
    max_size=4,
)


def told(values: object) -> str:
    """Return values as text, in which NaN equals itself and the order of keys means nothing."""
    return json.dumps(values, sort_keys=True, default=str)


@given(_toml, st.sampled_from(["", "# the last word", "\n\n# two\n", "\n"]))
@settings(max_examples=300, deadline=None)
def test_any_toml_keeps_what_it_says_and_comes_back(value: dict[str, object], tail: str) -> None:
    before = tomlkit.dumps(value) + tail
    target = shared("codex", ALICE)
    original = target.notation.read(before)
    assume(isinstance(found(original, ("mcp_servers", "waystation")), dict | type(None)))

    try:
        after = target.connected(before)
    except UnchangeableError:
        return

    assert target.connected(after) == after
    assert tomllib.loads(after)["mcp_servers"]["waystation"]["command"] == "/bin/waystation"
    undone = disconnected(after, target.parts, target.notation, before)
    assert told(target.notation.read(undone)) == told(original)
    assert undone.count("# the last word") == before.count("# the last word")
