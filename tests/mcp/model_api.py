"""A model that says what a test wrote for it, behind the interfaces that agent CLIs talk to."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from tests.mcp.dialects import DIALECTS
from tests.mcp.dialects.dialect import Document, Event, Question, Say, Turn, Use

Results = Sequence[str]
"""What the tools answered so far, in order."""


class Arguments(Protocol):
    """Arguments that depend on what tools answered before."""

    def __call__(self, results: Results) -> Mapping[str, Any]: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class CallTool:
    """The model calls a tool of Waystation's, known by how its name ends."""

    name: str
    arguments: Mapping[str, Any] | Arguments = dataclasses.field(default_factory=dict)


Step = CallTool | str
"""One turn of the model: a call, or words that end its answer."""


class ModelApi:
    """Answers each question with the step that is due, counting how often the model has spoken.

    A conversation is told by its own history, so that it does not matter how often a CLI asks, or
    what else it asks meanwhile (a title for the session, a check of its quota).
    """

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = list(steps)
        self.questions: list[Question] = []
        self.unknown: list[str] = []
        self.failures: list[str] = []
        self.url = ""
        self._lock = threading.Lock()

    @property
    def results(self) -> Results:
        """What the tools had answered by the last question."""
        with self._lock:
            return self.questions[-1].results if self.questions else ()

    def answer(self, question: Question) -> Turn:
        """Return the model's next turn."""
        if not question.tools:
            return Say("Waystation")  # a title or the like: no part of the scenario
        with self._lock:
            self.questions.append(question)
        if question.turns_taken >= len(self.steps):
            return Say("I have nothing more to do.")
        step = self.steps[question.turns_taken]
        if isinstance(step, str):
            return Say(step)
        offered = next((tool for tool in question.tools if tool.is_called(step.name)), None)
        if offered is None:
            names = sorted(tool.name for tool in question.tools)
            return self._fail(f"{step.name} is not among the tools: {names}")
        if callable(step.arguments):
            try:
                arguments = step.arguments(question.results)
            except (AttributeError, LookupError, ValueError, TypeError) as error:
                return self._fail(f"no arguments for {step.name}: {error!r} of {question.results}")
        else:
            arguments = step.arguments
        return Use(offered, arguments)

    def _fail(self, reason: str) -> Say:
        """End the conversation, and keep the reason for the test."""
        with self._lock:
            self.failures.append(reason)
        return Say(f"I can't go on: {reason}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: ModelApi

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        path = self.path.partition("?")[0]
        for dialect in DIALECTS:
            if dialect.is_spoken_at(path):
                question = dialect.read(path, json.loads(body))
                events = dialect.say(self.api.answer(question), question.model)
                if question.is_streamed:
                    self._stream(events)
                else:
                    self._answer(dialect.whole(list(events)))
                return
        if path.endswith(("/count_tokens", ":countTokens")):
            self._answer({"input_tokens": 100, "totalTokens": 100})
            return
        self._refuse()

    def do_GET(self) -> None:
        self._refuse()

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing: a test reads what was asked from the API."""

    def _refuse(self) -> None:
        self.api.unknown.append(f"{self.command} {self.path}")
        self._answer({"error": {"type": "not_found_error", "message": self.path}}, status=404)

    def _answer(self, document: Document, status: int = 200) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, events: Iterator[Event]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Connection", "close")
        self.end_headers()
        for event in events:
            name = f"event: {event.name}\n" if event.name else ""
            self.wfile.write(f"{name}data: {event.data}\n\n".encode())
            self.wfile.flush()
        self.close_connection = True


@contextmanager
def serving(*steps: Step) -> Iterator[ModelApi]:
    """Serve a model that takes these steps, on a free port of the loopback."""
    api = ModelApi(steps)
    handler: Callable[..., BaseHTTPRequestHandler] = type("Handler", (_Handler,), {"api": api})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
