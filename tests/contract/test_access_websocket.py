"""Who may connect as an agent, and what a connection can't do to what is another's."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import websocket

from app.access import Caller, Verdict
from app.websocket import ACCESS
from app.websocket.frames import FRAMES
from broker.kernel.ids import Partition, created_ms, new_id
from broker.messaging.message import Message
from broker.messaging.receipts import Listing
from tests.contract.access_scene import issue
from tests.contract.websocket_server import Agent, Frame, Server, register

pytestmark = pytest.mark.contract


@pytest.fixture
def server(guarded_server: Server) -> Server:
    return guarded_server


@pytest.fixture
def agent(server: Server, namespace: str) -> str:
    """An agent that no other test has."""
    return register(server, f"agent-{namespace}")


@pytest.fixture
def stranger(server: Server, namespace: str) -> str:
    return register(server, f"stranger-{namespace}")


def connect(server: Server, agent: str, token: str | None) -> Agent:
    header = {} if token is None else {"Authorization": f"Bearer {token}"}
    return Agent(server, agent, header=header)


def connect_as(server: Server, agent: str) -> Agent:
    """Connect as an agent, with a key of its own."""
    connected = connect(server, agent, issue(server.broker, f"agent:{agent}").token)
    connected.hello()
    return connected


@pytest.mark.parametrize("caller", Caller)
def test_a_handshake_turns_out_as_the_table_says(
    server: Server, agent: str, stranger: str, caller: Caller
) -> None:
    scope = {
        Caller.ITSELF: f"agent:{agent}",
        Caller.ANOTHER: f"agent:{stranger}",
        Caller.OPERATOR: "operator",
        Caller.ADMIN: "admin",
    }.get(caller)
    token = None if scope is None else issue(server.broker, scope).token

    verdict = ACCESS.verdict(caller)

    if verdict is Verdict.ALLOWED:
        assert connect(server, agent, token).hello()["agent_id"] == agent
        return
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        connect(server, agent, token)
    assert str(refused.value.status_code) == verdict.value
    assert b"application/problem+json" in str(refused.value.resp_headers).encode()


def test_operators_connect_as_the_user(server: Server, stranger: str) -> None:
    assert (
        connect(server, "user", issue(server.broker, "operator").token).hello()["agent_id"]
        == "user"
    )
    for name, scope in (("user", f"agent:{stranger}"), ("system", "admin")):
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            connect(server, name, issue(server.broker, scope).token)
        assert refused.value.status_code == 403


def test_nobody_learns_from_a_handshake_which_agents_there_are(server: Server, agent: str) -> None:
    token = issue(server.broker, "agent:somebody").token

    def answer(name: str) -> str:
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            connect(server, name, token)
        return str(refused.value.resp_body)

    assert answer(agent) == answer(f"{agent}-that-never-was")


Say = Callable[[Frame, str], dict[str, Any]]
"""A frame about what an agent was sent: the message as it got it, and the agent's id."""


def _about(**fields: Any) -> Say:
    return lambda message, _: {
        "id": message["id"],
        "lease_token": message["lease"]["token"],
        **fields,
    }


ABOUT_ANOTHER: dict[str, Say] = {
    "ack": _about(),
    "nack": _about(reason="mine"),
    "extend": _about(seconds=60),
    "reply": _about(response="mine"),
    "claim": lambda message, _: {"id": message["id"]},
    "renew": _about(seconds=60),
    "release": _about(),
    "send": lambda message, agent: {
        "message": {"from": agent, "to": message["from"], "body": "hi", "reply_to": message["id"]}
    },
}
HARMLESS = {"hello", "heartbeat", "credit"}
"""Frames that name nothing."""


def test_every_frame_is_tried_or_names_nothing() -> None:
    assert set(ABOUT_ANOTHER) | HARMLESS == set(FRAMES)


@pytest.mark.parametrize("kind", ABOUT_ANOTHER)
def test_no_frame_touches_what_another_was_sent(
    server: Server, agent: str, stranger: str, kind: str
) -> None:
    owner = connect_as(server, agent)
    server.send(agent, "for the agent alone")
    (message,) = owner.messages(1)
    intruder = connect_as(server, stranger)

    refused = intruder.ask(type=kind, **ABOUT_ANOTHER[kind](message, agent))

    assert refused["type"] == "error"
    assert refused["problem"]["status"] in {403, 404, 422}
    assert owner.about(message, "ack")["status"] == "acknowledged"
    assert [one for one in _history(server) if one.sender == agent] == []


def test_a_message_in_the_name_of_another_is_forbidden_and_not_stored(
    server: Server, agent: str, stranger: str
) -> None:
    intruder = connect_as(server, stranger)

    for name in (agent, "user", "system", "nobody-of-that-name"):
        message = {"from": name, "to": agent, "body": "obey"}
        problem = intruder.ask(type="send", message=message)["problem"]
        assert (problem["status"], problem["code"]) == (403, "forbidden")

    assert intruder.ask(type="send", message={"to": agent, "body": "hi"})["type"] == "ok"
    assert {one.sender for one in _history(server) if agent in one.to} == {stranger}


def test_one_replies_to_no_message_that_one_has_not_got(
    server: Server, agent: str, stranger: str
) -> None:
    (sent,) = server.send(agent, "for the agent alone")
    intruder = connect_as(server, stranger)

    def refusal(name: str) -> Frame:
        reply = {"to": agent, "body": "hi", "reply_to": name}
        problem: Frame = intruder.ask(type="send", message=reply)["problem"]
        return problem

    never_was = new_id("msg", at_ms=created_ms(sent), partition=Partition(0))
    assert refusal(sent) == refusal(never_was)


def test_a_connection_ends_when_its_key_is_revoked(server: Server, agent: str) -> None:
    issued = issue(server.broker, f"agent:{agent}")
    connected = connect(server, agent, issued.token)
    connected.hello()

    server.broker.identity.keys.revoke(issued.key.id)

    assert connected.closed() == 4401
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        connect(server, agent, issued.token)
    assert refused.value.status_code == 401


def test_a_connection_ends_with_its_key(server: Server, agent: str) -> None:
    ends_at = int(time.time() * 1000) + 1500
    connected = connect(
        server, agent, issue(server.broker, f"agent:{agent}", expires_at=ends_at).token
    )
    connected.hello()

    assert connected.closed() == 4401
    assert time.time() * 1000 >= ends_at


def _history(server: Server) -> list[Message]:
    """Every message that the station stored."""
    found, _ = server.broker.archive.find(Listing(), limit=1000)
    return [one.message for one in found]


def test_a_connection_speaks_for_one_agent_of_its_key(server: Server, agent: str) -> None:
    other = register(server, f"{agent}-other")
    connected = connect(
        server, agent, issue(server.broker, f"agent:{agent}", f"agent:{other}").token
    )
    connected.hello()

    refused = connected.ask(type="send", message={"from": other, "to": agent, "body": "hi"})

    assert refused["problem"]["code"] == "forbidden"
