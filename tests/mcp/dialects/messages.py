"""Anthropic's Messages, streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from tests.mcp.dialects.dialect import Document, Event, Question, Tool, Turn, Use, new_id, text_of


class AnthropicMessages:
    """`POST /v1/messages`, which Claude Code speaks."""

    def is_spoken_at(self, path: str) -> bool:
        """Whether a request for this path is one of this API's."""
        return path.endswith("/messages")

    def read(self, path: str, request: Document) -> Question:
        """Return what was asked."""
        del path
        messages = request["messages"]
        blocks = [
            block
            for message in messages
            if isinstance(message["content"], list)
            for block in message["content"]
        ]
        return Question(
            model=request["model"],
            is_streamed=bool(request.get("stream")),
            turns_taken=sum(message["role"] == "assistant" for message in messages),
            results=[
                text_of(block.get("content")) for block in blocks if block["type"] == "tool_result"
            ],
            tools=[Tool(name=tool["name"]) for tool in request.get("tools") or ()],
            request=request,
        )

    def say(self, turn: Turn, model: str) -> Iterator[Event]:
        """Return the events that tell a turn."""
        message: Document = {
            "id": new_id("msg"),
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 100, "output_tokens": 1},
        }
        yield self._event("message_start", message=message)
        if isinstance(turn, Use):
            block = {"type": "tool_use", "id": new_id("toolu"), "name": turn.tool.name}
            block_start: Document = block | {"input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(turn.arguments)}
            reason = "tool_use"
        else:
            block_start = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": turn.text}
            reason = "end_turn"
        yield self._event("content_block_start", index=0, content_block=block_start)
        yield self._event("content_block_delta", index=0, delta=delta)
        yield self._event("content_block_stop", index=0)
        yield self._event(
            "message_delta",
            delta={"stop_reason": reason, "stop_sequence": None},
            usage={"output_tokens": 10},
        )
        yield self._event("message_stop")

    def whole(self, events: Sequence[Event]) -> Document:
        """Return the same turn in one document."""
        said = {event.name: json.loads(event.data) for event in events}
        block = said["content_block_start"]["content_block"]
        delta = said["content_block_delta"]["delta"]
        if block["type"] == "text":
            block["text"] = delta["text"]
        else:
            block["input"] = json.loads(delta["partial_json"])
        reason = said["message_delta"]["delta"]["stop_reason"]
        message: Document = said["message_start"]["message"]
        return message | {"content": [block], "stop_reason": reason}

    @staticmethod
    def _event(kind: str, **fields: object) -> Event:
        return Event(kind, json.dumps({"type": kind} | fields))
