"""OpenAI's Responses, streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from tests.mcp.dialects.dialect import Document, Event, Question, Tool, Turn, Use, new_id, text_of


class OpenAIResponses:
    """`POST /responses`, which Codex speaks."""

    def is_spoken_at(self, path: str) -> bool:
        """Whether a request for this path is one of this API's."""
        return path.endswith("/responses")

    def read(self, path: str, request: Document) -> Question:
        """Return what was asked."""
        del path
        items = request["input"] if isinstance(request["input"], list) else []
        return Question(
            model=request["model"],
            is_streamed=bool(request.get("stream")),
            turns_taken=sum(
                item["type"] == "function_call" or item.get("role") == "assistant" for item in items
            ),
            results=[
                text_of(item["output"]) for item in items if item["type"] == "function_call_output"
            ],
            tools=list(self._tools(request.get("tools") or ())),
            request=request,
        )

    def say(self, turn: Turn, model: str) -> Iterator[Event]:
        """Return the events that tell a turn."""
        response = {
            "id": new_id("resp"),
            "object": "response",
            "model": model,
            "output": [],
        }
        yield self._event("response.created", response=response | {"status": "in_progress"})
        item: Document
        if isinstance(turn, Use):
            item = {
                "type": "function_call",
                "id": new_id("fc"),
                "call_id": new_id("call"),
                "name": turn.tool.name,
                "arguments": json.dumps(turn.arguments),
                "status": "completed",
            }
            if turn.tool.namespace is not None:
                item["namespace"] = turn.tool.namespace
        else:
            item = {
                "type": "message",
                "id": new_id("msg"),
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": turn.text, "annotations": []}],
            }
        yield self._event("response.output_item.added", output_index=0, item=item)
        yield self._event("response.output_item.done", output_index=0, item=item)
        usage = {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": 10,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 110,
        }
        done = response | {"status": "completed", "output": [item], "usage": usage}
        yield self._event("response.completed", response=done)

    def whole(self, events: Sequence[Event]) -> Document:
        """Return the same turn in one document."""
        document: Document = json.loads(events[-1].data)["response"]
        return document

    @staticmethod
    def _tools(offered: Sequence[Document]) -> Iterator[Tool]:
        for tool in offered:
            if tool["type"] == "namespace":
                for inner in tool["tools"]:
                    yield Tool(name=inner["name"], namespace=tool["name"])
            elif tool["type"] == "function":
                yield Tool(name=tool["name"])

    @staticmethod
    def _event(kind: str, **fields: object) -> Event:
        return Event(kind, json.dumps({"type": kind} | fields))
