"""The inspector of the Model Context Protocol, by its command line, at `waystation mcp`."""

import json
from typing import Any

import pytest

from tests.client.conftest import MakeName
from tests.mcp.npm import Desk
from tests.mcp.servers import Served, Stdio, serving
from tests.process.stations import Station
from waystation import Agent

pytestmark = pytest.mark.real_clients


@pytest.fixture(params=["stdio", "http"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def inspect(desk: Desk, served: Served, *asked: str) -> dict[str, Any]:
    """Ask the server one thing, as the inspector does; its answer."""
    target = served.command if isinstance(served, Stdio) else (served.url,)
    method = ("--method", *asked)
    # The end of the options has to be said where the server's command has options of its own.
    outcome = desk.run("mcp-inspector", "--cli", *method, "--", *target)
    assert outcome.status == 0, outcome
    answer: dict[str, Any] = json.loads(outcome.output)
    return answer


def test_the_inspector_lists_tools_resources_and_prompts(
    station: Station, named: MakeName, desk: Desk, transport: str
) -> None:
    with serving(transport, named("alice"), station.url) as served:
        tools = inspect(desk, served, "tools/list", "--strict")["tools"]
        resources = inspect(desk, served, "resources/list")["resources"]
        prompts = inspect(desk, served, "prompts/list")["prompts"]

    assert {"bus_send", "bus_wait", "bus_ack", "bus_reply"} <= {tool["name"] for tool in tools}
    assert len(tools) <= 10
    assert "waystation://inbox" in {resource["uri"] for resource in resources}
    assert prompts


def test_the_inspector_sends_a_message_by_calling_a_tool(
    station: Station, named: MakeName, desk: Desk, transport: str
) -> None:
    with Agent(named("bob"), url=station.url) as bob:
        arguments = json.dumps({"to": bob.id, "body": "looked into"})

        with serving(transport, named("alice"), station.url) as served:
            asked = ("tools/call", "--tool-name", "bus_send", "--tool-args-json", arguments)
            answer = inspect(desk, served, *asked)
        received = bob.receive()

    assert not answer["isError"]
    assert received is not None
    assert (received.from_, received.body) == (named("alice"), "looked into")


def test_the_inspector_is_told_what_is_wrong_with_a_call(
    station: Station, named: MakeName, desk: Desk, transport: str
) -> None:
    with serving(transport, named("alice"), station.url) as served:
        target = served.command if isinstance(served, Stdio) else (served.url,)
        outcome = desk.run(
            *("mcp-inspector", "--cli", "--method", "tools/call", "--tool-name", "bus_send"),
            *("--tool-args-json", json.dumps({"to": named("alice"), "words": "hi"})),
            *("--", *target),
        )

    answer = json.loads(outcome.output)
    assert answer["isError"], outcome
    assert "words" in json.dumps(answer)
    assert "body" in json.dumps(answer)
