"""`waystation connect` shows, writes and takes back, and never harms what was there."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.process.stations import Station
from tests.waiting import until
from waystation import Agent
from waystation import Station as Caller
from waystation.cli import main

pytestmark = pytest.mark.client

Connect = Callable[..., Result]
CLIENTS = ["claude", "codex", "gemini", "opencode"]
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home and a project of theirs, in which the test stands."""
    home = tmp_path / "home"
    project = home / "project"
    (project / ".git").mkdir(parents=True)
    (project / "deep").mkdir()
    for name in list(os.environ):
        if name.startswith(("XDG_", "CLAUDE", "CODEX", "GEMINI", "OPENCODE")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("WAYSTATION_CONFIG")
    monkeypatch.chdir(project / "deep")
    return home


@pytest.fixture
def connect(home: Path) -> Connect:
    def run(*words: str, fails: bool = False) -> Result:
        result = CliRunner().invoke(main, ["connect", *words])
        assert (result.exit_code != 0) == fails, result.output
        return result

    return run


def files_in(home: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and ".local" not in path.parts
    }


@pytest.mark.parametrize("client", CLIENTS)
def test_nothing_is_written_before_it_is_asked_for(
    client: str, home: Path, connect: Connect
) -> None:
    shown = connect(client, "--agent", "alice", "--url", NOWHERE)

    assert "+++ " in shown.stdout
    assert "Nothing is written yet" in shown.stderr
    assert "\x1b[" not in shown.stdout
    assert files_in(home) == {}


@pytest.mark.parametrize("scope", ["user", "project"])
@pytest.mark.parametrize("client", CLIENTS)
def test_what_is_written_names_the_agent_and_comes_out_again(
    client: str, scope: str, home: Path, connect: Connect
) -> None:
    words = (client, "--scope", scope, "--write")
    connect(*words, "--agent", "alice", "--url", NOWHERE, "--allow")
    listed = json.loads(connect("--list", "--json").stdout)["clients"]
    again = connect(*words, "--agent", "alice", "--url", NOWHERE, "--allow")
    written = files_in(home)
    modes = {stat.S_IMODE((home / name).stat().st_mode) for name in written}

    connect(client, "--scope", scope, "--undo", "--write")

    assert {one["client"]: one[scope] for one in listed}[client] == "alice"
    assert "Nothing to change" in again.stderr
    assert modes == {0o600}
    assert all((scope == "project") == name.startswith("project/") for name in written)
    assert files_in(home) == {}


def test_what_was_there_comes_back_to_the_letter(home: Path, connect: Connect) -> None:
    odd = b'{ "theme" :"dark",\r\n\r\n "hooks":{ } }'
    settings = home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_bytes(odd)
    settings.chmod(0o640)

    connect("claude", "--agent", "alice", "--url", NOWHERE, "--write")
    connect("claude", "--agent", "bob", "--url", NOWHERE, "--write")
    assert b" --agent bob " in settings.read_bytes()
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    connect("claude", "--undo", "--write")

    assert settings.read_bytes() == odd


def test_what_the_user_wrote_since_stays(home: Path, connect: Connect) -> None:
    connect("codex", "--agent", "alice", "--url", NOWHERE, "--write")
    config = home / ".codex" / "config.toml"
    config.write_text(f'model = "o9" # mine\n\n{config.read_text()}')

    connect("codex", "--undo", "--write")

    assert config.read_text() == 'model = "o9" # mine\n'
    assert not (home / ".codex" / "hooks.json").exists()


def test_a_symbolic_link_stays_one(home: Path, connect: Connect) -> None:
    kept = home / "dotfiles.json"
    kept.write_text("{}")
    (home / ".claude.json").symlink_to(kept)

    connect("claude", "--agent", "alice", "--url", NOWHERE, "--write")

    assert (home / ".claude.json").is_symlink()
    assert "waystation" in json.loads(kept.read_text())["mcpServers"]


def test_a_broken_file_is_named_with_the_place_and_nothing_is_touched(
    home: Path, connect: Connect
) -> None:
    settings = home / ".claude" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{\n  "a": 1,\n}\n')

    refused = connect("claude", "--agent", "alice", "--url", NOWHERE, "--write", fails=True)

    assert f"{settings}: not JSON: line 3, column 1" in refused.stderr
    assert set(files_in(home)) == {".claude/settings.json"}


def test_what_can_not_be_put_in_safely_is_shown_to_be_pasted(home: Path, connect: Connect) -> None:
    config = home / ".codex" / "config.toml"
    config.parent.mkdir()
    config.write_text('mcp_servers = { a = { command = "b" } }\n')

    refused = connect("codex", "--agent", "alice", "--url", NOWHERE, "--write", fails=True)

    assert "Write this into it by hand" in refused.stderr
    assert "[mcp_servers.waystation]" in refused.stderr
    assert config.read_text() == 'mcp_servers = { a = { command = "b" } }\n'


@pytest.mark.parametrize(
    ("client", "variable", "file"),
    [
        ("claude", "CLAUDE_CONFIG_DIR", "there/.claude.json"),
        ("codex", "CODEX_HOME", "there/config.toml"),
        ("gemini", "GEMINI_CLI_HOME", "there/.gemini/settings.json"),
        ("opencode", "OPENCODE_CONFIG", "there"),
        ("opencode", "OPENCODE_CONFIG_DIR", "there/opencode.json"),
        ("opencode", "XDG_CONFIG_HOME", "there/opencode/opencode.json"),
    ],
)
def test_the_client_s_own_variables_say_where_its_files_are(
    client: str, variable: str, file: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Path.home()
    monkeypatch.setenv(variable, str(home / "there"))

    connect(client, "--agent", "alice", "--url", NOWHERE, "--no-hooks", "--write")

    assert set(files_in(home)) == {file}


def test_a_token_is_never_written_but_where_it_lies_is(
    home: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAYSTATION_TOKEN", "wsk_secret")
    (home / "alice.key").write_text("wsk_secret\n")

    said = connect(
        "claude", "--agent", "alice", "--url", NOWHERE, "--token-file", "~/alice.key", "--write"
    )

    written = b"".join(files_in(home).values()).replace(b"wsk_secret\n", b"")
    assert b"wsk_secret" not in written
    assert "WAYSTATION_TOKEN is not written" in said.stderr
    entry = json.loads((home / ".claude.json").read_text())["mcpServers"]["waystation"]
    assert entry["env"]["WAYSTATION_TOKEN_FILE"] == str(home / "alice.key")
    assert Path(entry["command"]).is_absolute()


def test_every_client_that_is_installed_is_connected_by_one_call(
    home: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("claude", "gemini"):
        program = home / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!{sys.executable}\nprint('{name} 9.8.7 (made up)')\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(home / "bin"))

    connect("--all", "--agent", "alice", "--url", NOWHERE, "--write")

    lines = connect("--list").stdout.splitlines()
    assert [line.split("\t") for line in lines] == [
        ["claude", "9.8.7", "alice", "-"],
        ["codex", "not installed", "-", "-"],
        ["gemini", "9.8.7", "alice", "-"],
        ["opencode", "not installed", "-", "-"],
    ]


def test_registering_makes_the_agent_known(
    home: Path, connect: Connect, station: Station, named: Callable[[str], str]
) -> None:
    name = named("alice")
    before = connect("claude", "--agent", name, "--url", station.url)

    after = connect("claude", "--agent", name, "--url", station.url, "--register", "--json")

    assert f"{name} is not registered yet" in before.stderr
    assert json.loads(after.stdout)["advice"] == []
    with Agent(name, url=station.url, register=False) as agent:
        assert agent.send(name, "to myself").id.startswith("msg_")


def test_where_the_station_asks_for_tokens_the_advice_leads_to_a_hook_that_works(
    home: Path,
    connect: Connect,
    guarded: Station,
    admin: Caller,
    named: Callable[[str], str],
) -> None:
    name = named("alice")
    words = ("claude", "--agent", name)

    advised = connect(*words, "--url", guarded.url).stderr
    command = next(part for part in advised.split("`") if part.startswith("waystation keys create"))
    token = str(admin.configuration.token)
    environ = {"WAYSTATION_URL": guarded.url, "WAYSTATION_TOKEN": token}
    made = CliRunner().invoke(main, command.split()[1:], env=environ)
    said = connect(*words, "--profile", name, "--register", "--write")
    with Agent(name, profile=name, register=False) as agent:
        agent.send(name, "to myself")
        until(lambda: agent.peek(limit=1), within=30, what="the message is in the inbox")
    hooks = json.loads((home / ".claude" / "settings.json").read_text())["hooks"]
    hook = subprocess.run(
        ["/bin/sh", "-c", hooks["Stop"][0]["hooks"][0]["command"]],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        input="{}",
        capture_output=True,
        text=True,
        check=True,
    )

    assert made.exit_code == 0, made.output
    assert "asks for a token" not in said.stderr
    assert json.loads(hook.stdout)["decision"] == "block"
    assert not any(b"wsk_" in text for path, text in files_in(home).items() if ".claude" in path)


def test_a_client_must_be_named(connect: Connect) -> None:
    assert "Name one client" in connect("--agent", "alice", fails=True).stderr


def test_an_agent_must_be_named(connect: Connect) -> None:
    refused = connect("claude", fails=True)

    assert "Who are you?" in refused.stderr
