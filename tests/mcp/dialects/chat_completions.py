"""OpenAI's Chat Completions, streamed, as many others offer them too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from tests.mcp.dialects.dialect import Document, Event, Question, Tool, Turn, Use, new_id, text_of


class ChatCompletions:
    """`POST /chat/completions`, which OpenCode speaks."""

    def is_spoken_at(self, path: str) -> bool:
        """Whether a request for this path is one of this API's."""
        return path.endswith("/chat/completions")

    def read(self, path: str, request: Document) -> Question:
        """Return what was asked."""
        del path
        messages = request["messages"]
        return Question(
            model=request["model"],
            is_streamed=bool(request.get("stream")),
            turns_taken=sum(message["role"] == "assistant" for message in messages),
            results=[
                text_of(message["content"]) for message in messages if message["role"] == "tool"
            ],
            tools=[Tool(name=tool["function"]["name"]) for tool in request.get("tools") or ()],
            request=request,
        )

    def say(self, turn: Turn, model: str) -> Iterator[Event]:
        """Return the events that tell a turn."""
        delta: Document
        if isinstance(turn, Use):
            function = {"name": turn.tool.name, "arguments": json.dumps(turn.arguments)}
            call = {"index": 0, "id": new_id("call"), "type": "function", "function": function}
            delta = {"role": "assistant", "tool_calls": [call]}
            reason = "tool_calls"
        else:
            delta = {"role": "assistant", "content": turn.text}
            reason = "stop"
        chunk = {"id": new_id("chatcmpl"), "object": "chat.completion.chunk", "model": model}
        usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        said = {"index": 0, "delta": delta, "finish_reason": None}
        ended = {"index": 0, "delta": {}, "finish_reason": reason}
        yield Event("", json.dumps(chunk | {"choices": [said]}))
        yield Event("", json.dumps(chunk | {"choices": [ended], "usage": usage}))
        yield Event("", "[DONE]")

    def whole(self, events: Sequence[Event]) -> Document:
        """Return the same turn in one document."""
        said, ended = (json.loads(event.data) for event in events[:2])
        choice = ended["choices"][0] | {"message": said["choices"][0]["delta"]}
        document: Document = ended | {"object": "chat.completion", "choices": [choice]}
        return document
