"""The real agent CLIs with what `waystation connect` wrote for them, hooks included."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import MakeName
from tests.mcp.agent_clis import CLIS
from tests.mcp.agent_clis.agent_cli import AgentCli
from tests.mcp.model_api import CallTool, Results, Step, serving
from tests.mcp.npm import Desk, Outcome
from tests.mcp.servers import WAYSTATION
from tests.process.stations import Station
from waystation import Agent

pytestmark = [pytest.mark.real_clients, pytest.mark.timeout(300)]

Connect = Callable[..., Outcome]

STAYING = [cli for cli in CLIS if cli.name != "opencode"]
"""`opencode run` ends with the model's first answer; its plugin can go on only in the terminal."""


@pytest.fixture
def connect(station: Station, named: MakeName, desk: Desk) -> Connect:
    """Connect a CLI as alice, in the way that its user would."""

    def write(cli: AgentCli, *options: str) -> Outcome:
        outcome = desk.run(
            *(str(WAYSTATION), "connect", cli.name, "--agent", named("alice")),
            *("--url", station.url, "--allow", "--write", *options),
        )
        assert outcome.status == 0, outcome
        return outcome

    return write


def acknowledge(results: Results) -> dict[str, list[str]]:
    """Finish the first message of the last answer."""
    return {"ids": re.findall(r"msg_[0-9A-Z]{26}", results[-1])[:1]}


TAKE_IT: tuple[Step, ...] = (
    CallTool(name="bus_wait"),
    CallTool(name="bus_ack", arguments=acknowledge),
    "All done.",
)


@pytest.mark.parametrize("cli", CLIS, ids=lambda cli: cli.name)
def test_a_cli_sees_that_it_is_connected_until_that_is_undone(
    desk: Desk, connect: Connect, cli: AgentCli
) -> None:
    trusting = {"GEMINI_CLI_TRUST_WORKSPACE": "true"}

    connect(cli)
    connected = desk.run(*cli.looks, environ=trusting)
    undone = desk.run(str(WAYSTATION), "connect", cli.name, "--undo", "--write", "--json")
    alone = desk.run(*cli.looks, environ=trusting)

    assert cli.sees in connected.output + connected.errors, connected
    assert cli.sees not in alone.output + alone.errors, alone
    left = [Path(file["path"]) for file in json.loads(undone.output)["files"]]
    assert left
    assert not [path for path in left if path.exists() and "waystation" in path.read_text()]


@pytest.mark.parametrize("cli", CLIS, ids=lambda cli: cli.name)
def test_a_connected_cli_takes_a_message_and_finishes_it(
    station: Station, named: MakeName, desk: Desk, connect: Connect, cli: AgentCli
) -> None:
    with (
        Agent(named("bob"), url=station.url) as bob,
        Agent(named("alice"), url=station.url),
        serving(*TAKE_IT) as model,
    ):
        sent = bob.send(named("alice"), "please review PR 12")
        connect(cli)

        outcome = cli.run(desk, model, ())

        receipts = bob.station.messages.receipts(sent.id)
    assert cli.went_well(outcome), outcome
    assert not model.failures
    assert [receipt.status for receipt in receipts] == ["acknowledged"], model.results


@pytest.mark.parametrize("cli", CLIS, ids=lambda cli: cli.name)
def test_its_model_hears_with_the_prompt_that_a_message_waits(
    station: Station, named: MakeName, desk: Desk, connect: Connect, cli: AgentCli
) -> None:
    with (
        Agent(named("bob"), url=station.url) as bob,
        Agent(named("alice"), url=station.url),
        serving("I will look later.") as model,
    ):
        bob.send(named("alice"), "please review PR 12")
        connect(cli)

        outcome = cli.run(desk, model, ())

    asked = str(model.questions[0].request)
    assert f"1 message waits for you (from {named('bob')})" in asked, outcome
    assert "PR 12" not in asked


@pytest.mark.parametrize("cli", STAYING, ids=lambda cli: cli.name)
def test_what_comes_while_it_works_keeps_it_from_stopping(
    station: Station, named: MakeName, desk: Desk, connect: Connect, cli: AgentCli
) -> None:
    ids: list[str] = []

    def meanwhile(results: Results) -> Mapping[str, Any]:
        """While the model works on something else, bob writes."""
        assert not results
        ids.append(bob.send(named("alice"), "one thing more").id)
        return {"to": named("bob"), "body": "the review is done"}

    with (
        Agent(named("bob"), url=station.url) as bob,
        Agent(named("alice"), url=station.url),
        serving(CallTool(name="bus_send", arguments=meanwhile), "Done.", *TAKE_IT) as model,
    ):
        connect(cli)

        outcome = cli.run(desk, model, ())

        assert not model.failures, outcome
        receipts = bob.station.messages.receipts(ids[0])
    assert len(model.questions) > 2, outcome
    assert f"1 message waits for you (from {named('bob')})" in str(model.questions[2].request)
    assert [receipt.status for receipt in receipts] == ["acknowledged"], outcome
