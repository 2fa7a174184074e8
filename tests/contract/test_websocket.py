"""What an agent can do on its WebSocket (SPEC T2), on a real web server."""

import json
from collections.abc import Iterator

import pytest
import websocket

from broker.kernel.ids import AgentId
from broker.messaging.delivery import Wanted
from tests.contract.websocket_server import Agent, Server, register, serving
from tests.waiting import until

pytestmark = pytest.mark.contract

WITHIN = 10


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, jobs_redis_url: str
) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("web")
    with serving(
        directory,
        redis_url,
        jobs_redis_url,
        WAYSTATION_NAMESPACE="websocket",
        WAYSTATION_STALE_AFTER_SECONDS="1",
        WAYSTATION_LEASE_MAX_SECONDS="600",
    ) as running:
        yield running


@pytest.fixture
def bob(server: Server, namespace: str) -> str:
    """An agent that no other test has."""
    return register(server, f"bob-{namespace}", "one")


def test_a_message_is_pushed_as_the_inbox_would_give_it(server: Server, bob: str) -> None:
    agent = Agent(server, bob)
    assert agent.hello(ref="first") == {
        "type": "hello",
        "agent_id": bob,
        "epoch": 1,
        "ref": "first",
    }

    (sent,) = server.send(bob, "please review PR 12")

    (message,) = agent.messages(1)
    assert message["id"] == sent
    assert (message["from"], message["body"]) == ("alice", "please review PR 12")
    assert message["attempt"] == 1
    assert set(message["lease"]) == {"token", "expires_at"}


def test_a_client_that_says_nothing_is_served_with_the_defaults(server: Server, bob: str) -> None:
    server.send(bob, "hi")

    agent = Agent(server, bob)

    assert agent.next("hello")["agent_id"] == bob
    assert agent.messages(1)[0]["body"] == "hi"


def test_messages_come_by_priority_and_in_order(server: Server, bob: str) -> None:
    server.send(bob, "1", "2")
    server.send(bob, "urgent", priority=8)
    agent = Agent(server, bob)

    agent.hello()

    assert [message["body"] for message in agent.messages(3)] == ["urgent", "1", "2"]


def test_no_more_messages_are_out_than_the_credit(server: Server, bob: str) -> None:
    server.send(bob, *(str(number) for number in range(10)))
    agent = Agent(server, bob)

    agent.hello(credit=3)
    first = agent.messages(3)

    assert agent.pushed_meanwhile() == []
    assert server.waiting(bob) == 7
    assert agent.about(first[0], "ack") == {
        "type": "ok",
        "ref": 3,
        "id": first[0]["id"],
        "status": "acknowledged",
    }
    assert [message["body"] for message in agent.messages(1)] == ["3"]
    assert agent.pushed_meanwhile() == []
    assert agent.ask(type="credit", more=2)["credit"] == 5
    assert [message["body"] for message in agent.messages(2)] == ["4", "5"]
    assert agent.pushed_meanwhile() == []


def test_with_no_credit_a_client_only_sends(server: Server, bob: str) -> None:
    server.send(bob, "stays")
    agent = Agent(server, bob)

    agent.hello(credit=0)

    assert agent.pushed_meanwhile() == []
    assert server.waiting(bob) == 1


def test_credit_returns_when_a_lease_ends(server: Server, bob: str) -> None:
    server.send(bob, "forgotten", "next")
    agent = Agent(server, bob)
    agent.hello(credit=1)
    (forgotten,) = agent.messages(1)

    agent.about(forgotten, "extend", seconds=1)
    again = agent.messages(1)[0]
    assert (again["id"], again["attempt"]) == (forgotten["id"], 2)
    assert agent.about(forgotten, "ack")["problem"]["code"] == "stale_lease"
    assert agent.about(again, "ack")["status"] == "acknowledged"
    assert agent.messages(1)[0]["body"] == "next"


def test_a_rejected_message_waits_or_dies(server: Server, bob: str) -> None:
    server.send(bob, "later", "never")
    agent = Agent(server, bob)
    agent.hello()
    later, never = agent.messages(2)

    waiting = agent.about(later, "nack", reason="busy", delay_seconds=0)
    dead = agent.about(never, "nack", reason="no", permanent=True)

    assert (waiting["status"], dead["status"]) == ("waiting", "dead")
    assert waiting["next_attempt_at"].endswith("Z")
    again = agent.messages(1)[0]
    assert (again["id"], again["attempt"]) == (later["id"], 2)


def test_a_lease_is_extended(server: Server, bob: str) -> None:
    server.send(bob, "long")
    agent = Agent(server, bob)
    agent.hello()
    (message,) = agent.messages(1)

    extended = agent.about(message, "extend", seconds=300)
    refused = agent.about(message, "extend", seconds=601)

    assert extended["lease"]["token"] == message["lease"]["token"]
    assert extended["lease"]["expires_at"] > message["lease"]["expires_at"]
    assert [error["field"] for error in refused["problem"]["errors"]] == ["seconds"]


def test_an_agent_sends_what_others_get(server: Server, bob: str) -> None:
    carol = register(server, f"{bob}-carol")
    agent, other = Agent(server, bob), Agent(server, carol)
    agent.hello()
    other.hello()

    message = {"to": carol, "body": "ship it", "idempotency_key": "once"}
    accepted = agent.ask(type="send", message=message)
    repeated = agent.ask(type="send", message=message)
    server.broker.router.drain()

    assert (accepted["status"], accepted["created"]) == ("accepted", True)
    assert (repeated["id"], repeated["created"]) == (accepted["id"], False)
    (received,) = other.messages(1)
    assert (received["id"], received["from"]) == (accepted["id"], bob)


def test_an_agent_does_not_send_in_the_name_of_another(server: Server, bob: str) -> None:
    agent = Agent(server, bob)

    refused = agent.ask(type="send", message={"from": "alice", "to": bob, "body": "hi"})

    assert [error["field"] for error in refused["problem"]["errors"]] == ["message.from"]


def test_a_reply_without_a_token_gives_the_credit_back(server: Server, bob: str) -> None:
    alice = Agent(server, register(server, bob.replace("bob", "alice")))
    agent = Agent(server, bob)
    agent.hello(credit=1)
    for _ in range(2):
        asked = alice.ask(type="send", message={"to": bob, "body": "?", "expects_reply": True})
        server.broker.router.drain()

        (question,) = agent.messages(1)
        answer = agent.ask(type="reply", id=question["id"], response={"yes": True})

        assert (question["id"], answer["ticket_id"]) == (asked["id"], asked["id"])
    assert server.leased(bob) == 0


def test_an_agent_does_not_reply_in_the_name_of_another(server: Server, bob: str) -> None:
    (asked,) = server.send(bob, "hi")
    agent = Agent(server, bob)

    refused = agent.ask(type="reply", id=asked, agent_id="alice", response="yes")

    problem = refused["problem"]
    assert (problem["status"], problem["code"]) == (403, "forbidden")
    assert [one["field"] for one in problem["errors"]] == ["agent_id"]


def test_a_message_to_an_unknown_agent_is_refused_and_the_connection_stays(
    server: Server, bob: str
) -> None:
    agent = Agent(server, bob)

    refused = agent.ask(type="send", message={"to": bob[:-1], "body": "hi"})

    assert refused["problem"]["code"] == "unknown_agent"
    assert bob in refused["problem"]["detail"]
    assert refused["problem"]["errors"][0]["field"] == "message.to"
    assert agent.ask(type="heartbeat")["epoch"] == 1


def test_a_heartbeat_reports_the_status(server: Server, bob: str) -> None:
    agent = Agent(server, bob)

    assert agent.ask(type="heartbeat", status="thinking")["type"] == "ok"

    assert server.broker.agents.get(AgentId(bob)).reported_status == "thinking"


def test_an_open_connection_is_a_sign_of_life(server: Server, bob: str) -> None:
    agent = Agent(server, bob)
    agent.hello(credit=0)
    seen = server.broker.agents.get(AgentId(bob)).last_seen

    def seen_again() -> bool:
        return server.broker.agents.get(AgentId(bob)).last_seen > seen + 500

    until(seen_again, within=WITHIN, what="two heartbeats of an idle connection")


@pytest.mark.parametrize(
    ("text", "code", "fields"),
    [
        ("{", "malformed", []),
        ("[1]", "malformed", []),
        ('{"type":"heartbeat","ref":1e400}', "invalid_fields", ["ref"]),
        ('{"type":"heartbeat","status":NaN}', "malformed", []),
        ("[" * 100_000, "malformed", []),
        ('{"type":"nonsense"}', "invalid_fields", ["type"]),
        ('{"type":["ack"]}', "invalid_fields", ["type"]),
        ('{"id":"x"}', "invalid_fields", ["type"]),
        ('{"type":"ack"}', "invalid_fields", ["id", "lease_token"]),
        ('{"type":"ack","id":5,"lease_token":5,"x":1}', "invalid_fields", None),
        ('{"type":"credit","more":-1}', "invalid_fields", ["more"]),
        ('{"type":"credit","more":"5"}', "invalid_fields", ["more"]),
        ('{"type":"hello","credit":1001}', "invalid_fields", ["credit"]),
        ('{"type":"heartbeat","status":"a\\u0007b"}', "invalid_fields", ["status"]),
        ('{"type":"send"}', "invalid_fields", ["message"]),
        ('{"type":"send","message":"hi"}', "invalid_fields", ["message"]),
        ('{"type":"send","message":{"to":1,"z":2}}', "invalid_fields", None),
    ],
)
def test_a_bad_frame_is_explained_and_the_connection_lives_on(
    server: Server, bob: str, text: str, code: str, fields: list[str] | None
) -> None:
    agent = Agent(server, bob)

    agent.socket.send(text)

    problem = agent.next("error")["problem"]
    assert problem["code"] == code
    found = [error["field"] for error in problem["errors"]]
    if fields is not None:
        assert found == fields
    else:
        assert len(found) > 2
    assert agent.ask(type="heartbeat")["type"] == "ok"


def test_a_bad_frame_is_answered_with_its_ref(server: Server, bob: str) -> None:
    agent = Agent(server, bob)

    assert agent.ask(type="credit", more=0)["problem"]["code"] == "invalid_fields"


def test_a_binary_frame_is_refused(server: Server, bob: str) -> None:
    agent = Agent(server, bob)

    agent.socket.send_binary(json.dumps({"type": "heartbeat"}).encode())

    assert "text" in agent.next("error")["problem"]["detail"]


def test_twenty_bad_frames_in_a_row_end_the_connection(server: Server, bob: str) -> None:
    agent = Agent(server, bob)
    for _ in range(19):
        agent.socket.send("?")
    assert agent.ask(type="heartbeat")["type"] == "ok"

    for _ in range(20):
        agent.socket.send("?")

    assert agent.closed() == 4400


def test_a_second_hello_is_refused_and_a_late_one_is_taken(server: Server, bob: str) -> None:
    server.send(bob, "1", "2")
    agent = Agent(server, bob)
    agent.ask(type="heartbeat")

    agent.hello(credit=1, ref="late")
    agent.say(type="hello", ref="again")

    assert agent.next("error")["problem"]["code"] == "conflict"


def test_an_unknown_agent_is_told_and_disconnected(server: Server, bob: str) -> None:
    agent = Agent(server, bob[:-1])
    agent.say(type="hello")

    problem = agent.next("error")["problem"]

    assert problem["code"] == "unknown_agent"
    assert bob in problem["detail"]
    assert agent.closed() == 4404


def test_a_superseded_session_is_told_and_disconnected(server: Server, bob: str) -> None:
    zombie = Agent(server, bob)
    zombie.hello(instance_id="one")
    register(server, bob, "two")

    zombie.say(type="send", message={"to": bob, "body": "brains"})

    assert zombie.next("error")["problem"]["code"] == "stale_epoch"
    assert zombie.closed() == 4409
    assert server.waiting(bob) == 0
    late = Agent(server, bob)
    late.say(type="hello", epoch=1)
    assert late.next("error")["problem"]["code"] == "stale_epoch"
    assert late.closed() == 4409


def test_an_idle_superseded_session_is_disconnected_too(server: Server, bob: str) -> None:
    zombie = Agent(server, bob)
    zombie.hello(instance_id="one")

    register(server, bob, "two")

    assert zombie.closed() == 4409
    assert zombie.next("error")["problem"]["code"] == "stale_epoch"


def test_a_page_of_another_host_may_not_connect(server: Server, bob: str) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Agent(server, bob, origin="https://evil.example")

    assert refused.value.status_code == 403
    assert Agent(server, bob, suppress_origin=True).hello()["agent_id"] == bob


def test_a_handshake_of_another_version_is_refused(server: Server, bob: str) -> None:
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        Agent(server, bob, header={"Sec-WebSocket-Version": "8"})

    assert refused.value.status_code == 400


def test_acknowledgements_that_arrive_together_are_all_answered(server: Server, bob: str) -> None:
    server.send(bob, *(str(number) for number in range(150)))
    agent = Agent(server, bob)
    agent.hello(credit=200)
    pushed = agent.messages(150)

    for message in pushed:
        agent.say(
            type="ack", ref=message["id"], id=message["id"], lease_token=message["lease"]["token"]
        )

    assert [agent.next("ok")["ref"] for _ in pushed] == [message["id"] for message in pushed]
    assert server.leased(bob) == 0
    assert server.broker.inboxes.lease(AgentId(bob), Wanted()) == []
