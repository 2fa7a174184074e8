"""The scripted model answers as the model APIs do."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.mcp.model_api import CallTool, ModelApi, Results, Step, serving

pytestmark = pytest.mark.unit

Document = dict[str, Any]


@pytest.fixture
def model() -> Iterator[ModelApi]:
    def as_before(results: Results) -> Document:
        return {"again": results[-1]}

    steps: tuple[Step, ...] = (
        CallTool(name="bus_send", arguments={"to": "bob"}),
        CallTool(name="bus_wait", arguments=as_before),
        "done",
    )
    with serving(*steps) as model:
        yield model


def events(model: ModelApi, path: str, request: Document) -> list[Document]:
    answer = requests.post(f"{model.url}{path}", json=request, timeout=10)
    assert answer.headers["Content-Type"] == "text/event-stream"
    lines = answer.text.splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


TOOLS = [{"name": f"mcp__waystation__{name}"} for name in ("bus_send", "bus_wait")]


def test_the_messages_api_calls_the_tools_in_turn_and_ends_with_words(model: ModelApi) -> None:
    history: list[Document] = [{"role": "user", "content": "Tell bob"}]
    said: list[object] = []

    for result in ("sent", "nothing"):
        request = {"model": "m", "stream": True, "messages": history, "tools": TOOLS}
        told = {event["type"]: event for event in events(model, "/v1/messages", request)}
        call = told["content_block_start"]["content_block"]
        said.append(
            (call["name"], json.loads(told["content_block_delta"]["delta"]["partial_json"]))
        )
        answered = {"type": "tool_result", "tool_use_id": call["id"], "content": result}
        history += [
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [answered]},
        ]
    request = {"model": "m", "stream": True, "messages": history, "tools": TOOLS}
    told = {event["type"]: event for event in events(model, "/v1/messages", request)}

    assert said == [
        ("mcp__waystation__bus_send", {"to": "bob"}),
        ("mcp__waystation__bus_wait", {"again": "sent"}),
    ]
    assert told["content_block_delta"]["delta"]["text"] == "done"
    assert told["message_delta"]["delta"]["stop_reason"] == "end_turn"
    assert model.results == ["sent", "nothing"]


def test_the_responses_api_calls_a_tool_in_its_namespace(model: ModelApi) -> None:
    tools = [{"type": "namespace", "name": "mcp__waystation", "tools": [{"name": "bus_send"}]}]
    request = {"model": "m", "stream": True, "input": [], "tools": tools}

    told = {event["type"]: event for event in events(model, "/v1/responses", request)}

    call = told["response.output_item.done"]["item"]
    assert (call["namespace"], call["name"]) == ("mcp__waystation", "bus_send")
    assert json.loads(call["arguments"]) == {"to": "bob"}
    assert told["response.completed"]["response"]["status"] == "completed"


def test_what_asks_without_tools_is_no_part_of_the_scenario(model: ModelApi) -> None:
    request = {"model": "m", "messages": [{"role": "user", "content": "a title, please"}]}

    answer = requests.post(f"{model.url}/v1/messages", json=request, timeout=10).json()

    assert answer["content"] == [{"type": "text", "text": "Waystation"}]
    assert not model.questions


def test_a_tool_that_is_not_offered_is_told_to_the_test(model: ModelApi) -> None:
    request = {"model": "m", "messages": [], "tools": [{"name": "Bash"}]}

    requests.post(f"{model.url}/v1/messages", json=request, timeout=10)

    assert model.failures == ["bus_send is not among the tools: ['Bash']"]
