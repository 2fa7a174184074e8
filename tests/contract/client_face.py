"""The face of the Python client: every verb as its users have it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from tests.contract.faces import Document, Http, Refused
from tests.contract.websocket_server import DEADLINE_SECONDS, Server
from waystation import Agent
from waystation.answers import Delivered
from waystation.configuration import Configuration
from waystation.errors import ProblemError
from waystation.message import AsyncMessage, Message
from waystation.transport import Retrying


class Client(Http):
    """What an agent does goes through its blocking client; what others do stays a request."""

    name = "client"

    def __init__(self, server: Server, **headers: str) -> None:
        super().__init__(server, **headers)
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        self._configuration = Configuration(
            url=f"http://127.0.0.1:{server.port}", token=token or None
        )
        self._agents: dict[str, Agent] = {}

    def agent(self, name: str) -> Agent:
        """The client of an agent."""
        if name not in self._agents:
            self._agents[name] = Agent(
                name,
                configuration=self._configuration,
                register=False,
                retrying=Retrying(seconds=0),  # a refusal is what a scenario wants to see
            )
        return self._agents[name]

    def close(self) -> None:
        """End every connection."""
        for agent in self._agents.values():
            agent.close()

    def send(self, sender: str, to: object, body: str = "hi", **fields: Any) -> Document:
        said: Any = {"to": to, "body": body} | fields
        with refusals():
            sent = self.agent(sender).send(**said)
        self.server.broker.router.drain_unrung()
        return document(sent)

    def send_direct(self, sender: str, to: str, body: str = "hi") -> Document:
        with refusals():
            sent = self.agent(sender).station.direct_messages.send(sender, to, body)
        self.server.broker.router.drain_unrung()
        return document(sent)

    def fetch(self, agent: str, count: int = 1) -> list[Document]:
        found = []
        for _ in range(count):
            with refusals():
                message = self.agent(agent).receive(wait_seconds=DEADLINE_SECONDS, claim=False)
            assert message is not None, f"not {count} messages for {agent}"
            found.append(document(message.delivered))
        return found

    def nothing_for(self, agent: str) -> bool:
        return not self.agent(agent).peek(limit=1)

    def ack(self, agent: str, message: Document) -> Document:
        with refusals():
            return document(self._held(agent, message).ack())

    def nack(self, agent: str, message: Document, **fields: Any) -> Document:
        with refusals():
            return document(self._held(agent, message).nack(**fields))

    def reply(self, agent: str, ticket: Document, response: object, **fields: Any) -> Document:
        with refusals():
            if fields:
                replied = self.agent(agent).station.tickets.reply(
                    ticket["id"],
                    response,
                    agent_id=agent,
                    **({"lease_token": ticket["lease"]["token"]} | fields),
                )
            else:
                replied = self._held(agent, ticket).reply(response)
        self.server.broker.router.drain_unrung()
        return document(replied)

    def claim(self, agent: str, message: Document, **fields: Any) -> Document:
        if "lease" not in message:  # one that was never fetched
            with refusals():
                claims = self.agent(agent).station.claims
                return document(claims.claim(message["id"], agent_id=agent, **fields).message)
        held = self._held(agent, message)
        with refusals():
            held.claim(fields.get("claim_seconds"))
        return document(held.delivered)

    def renew(self, agent: str, message: Document, seconds: float) -> Document:
        with refusals():
            return document(
                self.agent(agent).station.claims.renew(
                    message["id"],
                    agent_id=agent,
                    lease_token=message["lease"]["token"],
                    seconds=seconds,
                )
            )

    def release(self, agent: str, message: Document) -> Document:
        with refusals():
            return document(self._held(agent, message).release())

    def _held(self, agent: str, message: Document) -> Message:
        """The message as the client holds it, with whatever lease a scenario gives it."""
        lease = {"expires_at": message["created_at"]} | message["lease"]
        delivered = msgspec.convert(message | {"lease": lease}, Delivered)
        holder = self.agent(agent)._core._holder
        return Message(AsyncMessage(delivered, holder, lease_seconds=60, leased_at=0))


def document(answer: msgspec.Struct) -> Document:
    """An answer as the station said it: what it left out is left out."""
    return {
        field.encode_name: _said(value)
        for field in msgspec.structs.fields(answer)
        if (value := getattr(answer, field.name)) is not None or field.required
    }


def _said(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return document(value)
    if isinstance(value, list):
        return [_said(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """What the client raises, as every face does."""
    try:
        yield
    except ProblemError as error:
        raise Refused(msgspec.to_builtins(error.problem)) from error
