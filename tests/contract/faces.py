"""The faces of the station: each gives an agent the same verbs, so that scenarios are told once."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any, Protocol

import requests
import websocket

from tests.contract.websocket_server import DEADLINE_SECONDS, Agent, Frame, Server
from tests.waiting import until

Document = dict[str, Any]


class Refused(Exception):  # noqa: N818 - what a test expects
    """The station answered with a problem document."""

    def __init__(self, problem: Document) -> None:
        super().__init__(f"{problem['status']} {problem['code']}: {problem['detail']}")
        self.problem = problem
        self.status: int = problem["status"]
        self.code: str = problem["code"]


class Face(Protocol):
    """What an agent can do, whichever way it talks to the station.

    Whatever is asked for is refused by raising `Refused`.
    """

    name: str

    def register(self, agent: str, **profile: Any) -> str:
        """Register an agent; its id."""

    def send(self, sender: str, to: object, body: str = "hi", **fields: Any) -> Document:
        """Send a message, and have it routed; what the sender is answered."""

    def send_direct(self, sender: str, to: str, body: str = "hi") -> Document:
        """Send a direct message, and have it routed; what the sender is answered."""

    def fetch(self, agent: str, count: int = 1) -> list[Document]:
        """Wait for this many messages of an agent, with their leases."""

    def nothing_for(self, agent: str) -> bool:
        """Whether nothing waits for an agent."""

    def ack(self, agent: str, message: Document) -> Document:
        """Finish a fetched message."""

    def nack(self, agent: str, message: Document, **fields: Any) -> Document:
        """Give a fetched message back."""

    def reply(self, agent: str, ticket: Document, response: object, **fields: Any) -> Document:
        """Answer a fetched ticket, and have the reply routed; what the replier is answered."""

    def claim(self, agent: str, message: Document, **fields: Any) -> Document:
        """Claim a message that is offered to several; the message with the claim's lease."""

    def renew(self, agent: str, message: Document, seconds: float) -> Document:
        """Keep a claimed message for longer."""

    def release(self, agent: str, message: Document) -> Document:
        """Give a claimed message back to all to whom it was offered."""

    def settle(self) -> None:
        """Let what has come due happen, as the station does each second."""

    def get(self, path: str, **query: Any) -> Document:
        """Read something; there is one way to do so."""

    def call(self, method: str, path: str, **options: Any) -> Document:
        """Ask for something else that there is one way to ask for."""


class Http:
    """Every verb is a request to the web server."""

    name = "http"

    def __init__(self, server: Server, **headers: str) -> None:
        self.server = server
        self._session = requests.Session()
        self._session.headers.update(headers)

    def call(self, method: str, path: str, **options: Any) -> Document:
        response = self._session.request(
            method,
            f"http://127.0.0.1:{self.server.port}/api/v1{path}",
            timeout=DEADLINE_SECONDS,
            **options,
        )
        document: Document = response.json() if response.content else {}
        if not response.ok:
            raise Refused(document)
        return document

    def get(self, path: str, **query: Any) -> Document:
        return self.call("GET", path, params=query)

    def post(self, path: str, document: object = None) -> Document:
        return self.call("POST", path, json=document)

    def settle(self) -> None:
        self.server.broker.settlement.sweep()

    def register(self, agent: str, **profile: Any) -> str:
        self.post("/agents/register", {"id": agent} | profile)
        return agent

    def send(self, sender: str, to: object, body: str = "hi", **fields: Any) -> Document:
        sent = self.post("/messages", {"from": sender, "to": to, "body": body} | fields)
        self.server.broker.router.drain_unrung()
        return sent

    def send_direct(self, sender: str, to: str, body: str = "hi") -> Document:
        sent = self.post("/dms", {"from": sender, "to": to, "body": body})
        self.server.broker.router.drain_unrung()
        return sent

    def fetch(self, agent: str, count: int = 1) -> list[Document]:
        found: list[Document] = []

        def enough() -> bool:
            query = {"limit": count - len(found), "wait_seconds": 1}
            found.extend(self.get(f"/agents/{agent}/inbox", **query)["messages"])
            return len(found) >= count

        until(enough, within=DEADLINE_SECONDS, what=f"{count} messages for {agent}")
        return found

    def nothing_for(self, agent: str) -> bool:
        return not self.get(f"/agents/{agent}/inbox", peek="true")["messages"]

    def ack(self, agent: str, message: Document) -> Document:
        return self.about(agent, message, "ack")

    def nack(self, agent: str, message: Document, **fields: Any) -> Document:
        return self.about(agent, message, "nack", **fields)

    def reply(self, agent: str, ticket: Document, response: object, **fields: Any) -> Document:
        answer = {"lease_token": ticket["lease"]["token"], "response": response} | fields
        replied = self.post("/replies", {"ticket_id": ticket["id"], "agent_id": agent} | answer)
        self.server.broker.router.drain_unrung()
        return replied

    def claim(self, agent: str, message: Document, **fields: Any) -> Document:
        claimed = self.post(f"/messages/{message['id']}/claim", {"agent_id": agent} | fields)
        return dict(claimed["message"])

    def renew(self, agent: str, message: Document, seconds: float) -> Document:
        return self.about(agent, message, "claim/renew", seconds=seconds)

    def release(self, agent: str, message: Document) -> Document:
        return self.about(agent, message, "claim/release")

    def about(self, agent: str, message: Document, verb: str, **fields: Any) -> Document:
        """Ask for something to be done with a fetched message."""
        held = {"agent_id": agent, "lease_token": message["lease"]["token"]}
        return self.post(f"/messages/{message['id']}/{verb}", held | fields)


class WebSocket(Http):
    """What frames can say goes over each agent's own connection; the rest stays a request."""

    name = "websocket"

    def __init__(self, server: Server, **headers: str) -> None:
        super().__init__(server, **headers)
        self._headers = headers
        self._agents: dict[str, Agent] = {}
        self._open = ExitStack()

    def connection(self, agent: str) -> Agent:
        """The connection of an agent, opened when it is first needed."""
        if agent not in self._agents:
            try:
                connected = Agent(self.server, agent, header=self._headers)
            except websocket.WebSocketBadStatusException as refused:
                raise Refused(json.loads(refused.resp_body or b"{}")) from refused
            self._open.callback(connected.socket.close)
            connected.hello()
            self._agents[agent] = connected
        return self._agents[agent]

    def close(self) -> None:
        """End every connection."""
        self._open.close()

    def send(self, sender: str, to: object, body: str = "hi", **fields: Any) -> Document:
        message = {"to": to, "body": body} | fields
        sent = _granted(self.connection(sender).ask(type="send", message=message))
        self.server.broker.router.drain_unrung()
        return sent

    def send_direct(self, sender: str, to: str, body: str = "hi") -> Document:
        low, high = sorted((sender, to))
        return self.send(sender, to, body, channel=f"dm:{low}:{high}")

    def fetch(self, agent: str, count: int = 1) -> list[Document]:
        return self.connection(agent).messages(count)

    def nothing_for(self, agent: str) -> bool:
        return self.connection(agent).pushed_meanwhile() == []

    def reply(self, agent: str, ticket: Document, response: object, **fields: Any) -> Document:
        replied = self.about(agent, ticket, "reply", response=response, **fields)
        self.server.broker.router.drain_unrung()
        return replied

    def claim(self, agent: str, message: Document, **fields: Any) -> Document:
        asked = self.connection(agent).ask(type="claim", id=message["id"], **fields)
        return dict(_granted(asked)["message"])

    def about(self, agent: str, message: Document, verb: str, **fields: Any) -> Document:
        frame = verb.rpartition("/")[2]
        return _granted(self.connection(agent).about(message, frame, **fields))


def _granted(answer: Frame) -> Document:
    if answer["type"] == "error":
        raise Refused(answer["problem"])
    return answer
