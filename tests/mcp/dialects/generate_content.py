"""Google's GenerateContent, streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from tests.mcp.dialects.dialect import Document, Event, Question, Tool, Turn, Use, text_of


class GenerateContent:
    """`POST /v1beta/models/{model}:streamGenerateContent`, which Gemini CLI speaks."""

    def is_spoken_at(self, path: str) -> bool:
        """Whether a request for this path is one of this API's."""
        return path.endswith((":streamGenerateContent", ":generateContent"))

    def read(self, path: str, request: Document) -> Question:
        """Return what was asked."""
        contents = request["contents"]
        parts = [part for content in contents for part in content.get("parts") or ()]
        return Question(
            model=path.rpartition("/")[2].partition(":")[0],
            is_streamed=path.endswith(":streamGenerateContent"),
            turns_taken=sum(content.get("role") == "model" for content in contents),
            results=[
                text_of(part["functionResponse"]["response"].get("output"))
                for part in parts
                if "functionResponse" in part
            ],
            tools=[
                Tool(name=function["name"])
                for tool in request.get("tools") or ()
                for function in tool.get("functionDeclarations") or ()
            ],
            request=request,
        )

    def say(self, turn: Turn, model: str) -> Iterator[Event]:
        """Return the events that tell a turn."""
        part: Document
        if isinstance(turn, Use):
            part = {"functionCall": {"name": turn.tool.name, "args": dict(turn.arguments)}}
        else:
            part = {"text": turn.text}
        candidate = {
            "index": 0,
            "content": {"role": "model", "parts": [part]},
            "finishReason": "STOP",
        }
        usage = {"promptTokenCount": 100, "candidatesTokenCount": 10, "totalTokenCount": 110}
        answer = {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model}
        yield Event("", json.dumps(answer))

    def whole(self, events: Sequence[Event]) -> Document:
        """Return the same turn in one document."""
        document: Document = json.loads(events[-1].data)
        return document
