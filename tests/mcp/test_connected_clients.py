"""Agent CLIs that `waystation connect` connected, and nobody else configured, do as it says."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import requests

from tests.mcp.model_api import CallTool, ModelApi, Step, serving
from tests.mcp.npm import Desk, Outcome
from tests.process.stations import Station
from tests.waiting import until
from waystation import Agent

pytestmark = [pytest.mark.client, pytest.mark.real_clients, pytest.mark.timeout(600)]

PROMPT = "Say something."
CODEX_MODEL = "gpt-5.1-codex"
GOING_ON = {"claude", "codex", "gemini"}
"""Those that a hook keeps from ending; `opencode run` ends with the first answer."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cli:
    """How a CLI is run without a terminal, and how it says what it is connected to."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    look: Sequence[str]
    seen: str
    """What it prints of a server that it reached."""


def claude(model: ModelApi, desk: Desk) -> Cli:
    del desk
    return Cli(
        name="claude",
        command=("claude", "-p", PROMPT, "--output-format", "stream-json", "--verbose"),
        environ={
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "none",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        },
        look=("claude", "mcp", "get", "waystation"),
        seen="✔ Connected",
    )


def codex(model: ModelApi, desk: Desk) -> Cli:
    del desk
    settings = {
        "model": CODEX_MODEL,
        "model_provider": "scripted",
        "model_providers.scripted.name": "scripted",
        "model_providers.scripted.base_url": f"{model.url}/v1",
        "model_providers.scripted.env_key": "SCRIPTED_KEY",
        "model_providers.scripted.wire_api": "responses",
        # Else the model is asked for the first time while the server starts, and not told of it.
        "mcp_servers.waystation.required": True,
    }
    options = [f"--config={name}={json.dumps(value)}" for name, value in settings.items()]
    # To trust a hook takes a person who looks at it; here nobody does.
    unseen = ("--skip-git-repo-check", "--dangerously-bypass-hook-trust")
    return Cli(
        name="codex",
        command=("codex", "exec", "--json", *unseen, *options, PROMPT),
        environ={"SCRIPTED_KEY": "none"},
        look=("codex", "mcp", "get", "waystation"),
        seen="default_tools_approval_mode: approve",
    )


def gemini(model: ModelApi, desk: Desk) -> Cli:
    merge(
        desk.home / ".gemini" / "settings.json",
        {"security": {"auth": {"selectedType": "gemini-api-key"}}},
    )
    return Cli(
        name="gemini",
        command=("gemini", "-p", PROMPT, "-m", "gemini-2.5-flash", "--output-format=stream-json"),
        environ={
            "GOOGLE_GEMINI_BASE_URL": model.url,
            "GEMINI_API_KEY": "none",
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        },
        look=("gemini", "mcp", "list"),
        seen="- Connected",
    )


def opencode(model: ModelApi, desk: Desk) -> Cli:
    scripted: dict[str, object] = {
        "npm": "@ai-sdk/openai-compatible",
        "options": {"baseURL": f"{model.url}/v1", "apiKey": "none"},
        "models": {"scripted": {"tool_call": True}},
    }
    names = dict.fromkeys(("model", "small_model"), "scripted/scripted")
    merge(desk.home / "opencode.json", {"provider": {"scripted": scripted}, **names})
    return Cli(
        name="opencode",
        command=("opencode", "run", "--format", "json", PROMPT),
        environ={"OPENCODE_DISABLE_MODELS_FETCH": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1"},
        look=("opencode", "mcp", "list"),
        seen="connected",
    )


def merge(path: Path, document: dict[str, object]) -> None:
    """Add members to a document, which may not be there yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(before | document))


def waystation(desk: Desk, *words: str) -> Outcome:
    """Run our own command line at a desk."""
    done = subprocess.run(
        [Path(sys.executable).parent / "waystation", *words],
        cwd=desk.home,
        env={"PATH": desk.packages.path, "HOME": str(desk.home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Outcome(
        command=("waystation", *words),
        status=done.returncode,
        output=done.stdout,
        errors=done.stderr,
    )


def wait_for_message(station: Station, agent: str) -> None:
    url = f"{station.url}/api/v1/agents/{agent}/inbox?peek=true"
    until(
        lambda: requests.get(url, timeout=10).json()["messages"],
        within=30,
        what=f"a message waits for {agent}",
    )


@pytest.mark.parametrize("make", [claude, codex, gemini, opencode])
def test_a_connected_client_notices_a_message_and_takes_it(
    make: Callable[[ModelApi, Desk], Cli],
    desk: Desk,
    station: Station,
    named: Callable[[str], str],
) -> None:
    alice, bob = named("alice"), named("bob")
    name = make.__name__
    steps: list[Step] = [
        CallTool(name="bus_wait", arguments={"max_seconds": 0}),
        "I have taken it.",
    ]
    if name in GOING_ON:
        steps.insert(0, "I have nothing to do.")
    connect = ("connect", name, "--as", bob, "--url", station.url, "--allow", "--write")

    connected = waystation(desk, *connect, "--register")
    with Agent(alice, url=station.url) as sender:
        sender.send(bob, "The build is broken.")
    wait_for_message(station, bob)
    with serving(*steps) as model:
        cli = make(model, desk)
        looked = desk.run(*cli.look, environ=cli.environ)
        outcome = desk.run(*cli.command, environ=cli.environ)
        results = model.results

    assert connected.status == 0, connected
    assert cli.seen in looked.output + looked.errors, looked
    assert model.failures == [], outcome
    assert any("The build is broken." in result for result in results), (results, outcome)
    undone = waystation(desk, "connect", name, "--undo", "--write", "--json")
    assert all("waystation" not in file.read_text() for file in left(desk, undone)), undone


def left(desk: Desk, undone: Outcome) -> list[Path]:
    """Return the files that were changed and are there still."""
    paths = [Path(one["path"]) for one in json.loads(undone.output)["files"]]
    assert all(path.is_relative_to(desk.home) for path in paths)
    return [path for path in paths if path.exists()]
