"""The real agent CLIs send and receive through `waystation mcp`; only their model is a script."""

import contextlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from tests.client.conftest import MakeName
from tests.mcp.agent_clis import CLIS
from tests.mcp.agent_clis.agent_cli import AgentCli
from tests.mcp.agent_clis.claude_code import ClaudeCode
from tests.mcp.agent_clis.codex import Codex
from tests.mcp.model_api import CallTool, Results, Step
from tests.mcp.model_api import serving as serving_model
from tests.mcp.npm import Desk
from tests.mcp.servers import serving, stdio
from tests.process.stations import Station
from waystation import Agent

pytestmark = [pytest.mark.real_clients, pytest.mark.timeout(300)]

TOOLS = ("bus_send", "bus_ask", "bus_wait", "bus_ack", "bus_reply")


@pytest.fixture(params=CLIS, ids=lambda cli: cli.name)
def cli(request: pytest.FixtureRequest) -> AgentCli:
    found: AgentCli = request.param
    return found


@pytest.fixture(params=["stdio", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def the_message(results: Results) -> str:
    """Find the id of the message that the last tool answered with."""
    found: list[str] = re.findall(r"msg_[0-9A-Z]{26}", results[-1])
    return found[0]


def finish_it(results: Results) -> dict[str, list[str]]:
    """Acknowledge the message."""
    return {"ids": [the_message(results)]}


def answer_it(results: Results) -> dict[str, str]:
    """Reply to the message."""
    return {"id": the_message(results), "body": "42, says Codex"}


def test_a_cli_sends_a_message_and_receives_one(
    station: Station,
    named: MakeName,
    desk: Desk,
    cli: AgentCli,
    transport: str,
) -> None:
    steps: tuple[Step, ...] = (
        CallTool(name="bus_send", arguments={"to": named("bob"), "body": "the review is done"}),
        CallTool(name="bus_wait"),
        CallTool(name="bus_ack", arguments=finish_it),
        "All done.",
    )
    with (
        Agent(named("bob"), url=station.url) as bob,
        Agent(named("alice"), url=station.url),
        serving(transport, named("alice"), station.url) as served,
        serving_model(*steps) as model,
    ):
        sent = bob.send(named("alice"), "please review PR 12")
        cli.configure(desk, served)

        outcome = cli.run(desk, model, TOOLS)

        received = bob.receive()
        receipts = bob.station.messages.receipts(sent.id)
    assert cli.went_well(outcome), outcome
    assert not model.failures
    assert "please review PR 12" in model.results[1]
    assert received is not None
    assert (received.from_, received.body) == (named("alice"), "the review is done")
    assert [receipt.status for receipt in receipts] == ["acknowledged"], model.results


def test_claude_code_asks_codex_and_gets_its_answer(
    station: Station, named: MakeName, desk: Desk
) -> None:
    claude, codex = ClaudeCode(), Codex()
    desks = {cli.name: desk.beside(cli.name) for cli in (claude, codex)}
    for cli in (claude, codex):
        cli.configure(desks[cli.name], stdio(named(cli.name), station.url))
    asks = CallTool(name="bus_ask", arguments={"to": named("codex"), "body": "What is 6 times 7?"})
    answers = CallTool(name="bus_reply", arguments=answer_it)
    with (
        Agent(named("codex"), url=station.url),
        serving_model(asks, "Thanks.") as model_of_claude,
        serving_model(CallTool(name="bus_wait"), answers, "Answered.") as model_of_codex,
        ThreadPoolExecutor() as both,
    ):
        asking = both.submit(claude.run, desks["claude"], model_of_claude, TOOLS)
        answering = both.submit(codex.run, desks["codex"], model_of_codex, TOOLS)
        asked, answered = asking.result(), answering.result()

    assert claude.went_well(asked), asked
    assert codex.went_well(answered), answered
    assert "What is 6 times 7?" in model_of_codex.results[0]
    assert "42, says Codex" in model_of_claude.results[0]


@pytest.mark.parametrize("cli", [ClaudeCode(), Codex()], ids=lambda cli: cli.name)
def test_what_a_cli_held_when_it_was_killed_comes_again(
    station: Station, named: MakeName, desk: Desk, cli: AgentCli
) -> None:
    def die(results: Results) -> dict[str, list[str]]:
        """Kill -9 the CLI and the server that it started, before the model's answer arrives."""
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if Path(process.cwd()) == desk.home:
                    process.kill()
        return finish_it(results)

    steps = (CallTool(name="bus_wait"), CallTool(name="bus_ack", arguments=die))
    with (
        Agent(named("bob"), url=station.url) as bob,
        Agent(named("alice"), url=station.url) as alice,
        serving_model(*steps) as model,
    ):
        sent = bob.send(alice.id, "please review PR 12")
        cli.configure(desk, stdio(alice.id, station.url))

        outcome = cli.run(desk, model, TOOLS)

        again = alice.receive(wait_seconds=60)
    assert "please review PR 12" in model.results[0]
    assert outcome.status not in (0, 1), outcome
    assert again is not None
    assert (again.id, again.attempt) == (sent.id, 2)
