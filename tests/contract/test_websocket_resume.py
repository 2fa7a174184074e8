"""Connections that end, in every way, and lose nothing by it (SPEC T2)."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import websocket

from broker.kernel.ids import AgentId
from tests.contract.websocket_server import Agent, Closed, Frame, Server, register, serving
from tests.redis.servers import Server as RedisServer
from tests.redis.servers import binary_for, running
from tests.waiting import until

pytestmark = pytest.mark.contract

WITHIN = 10


@pytest.fixture(scope="module")
def shared(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, jobs_redis_url: str
) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("web")
    with serving(
        directory, redis_url, jobs_redis_url, WAYSTATION_NAMESPACE="resume"
    ) as running_server:
        yield running_server


@pytest.fixture
def bob(shared: Server, namespace: str) -> str:
    """An agent that no other test has."""
    return register(shared, f"bob-{namespace}", "one")


@pytest.fixture
def own_server(
    tmp_path: Path, redis_url: str, jobs_redis_url: str, namespace: str
) -> Iterator[Server]:
    """A web server that a test may kill."""
    with serving(
        tmp_path, redis_url, jobs_redis_url, WAYSTATION_NAMESPACE=namespace
    ) as running_server:
        yield running_server


def leases(messages: list[Frame]) -> list[tuple[str, str, int]]:
    return [(one["id"], one["lease"]["token"], one["attempt"]) for one in messages]


def test_an_instance_that_dropped_gets_its_messages_again_with_the_same_tokens(
    shared: Server, bob: str
) -> None:
    shared.send(bob, "1", "2", "3", "4")
    agent = Agent(shared, bob)
    agent.hello(instance_id="one", credit=3)
    before = agent.messages(3)
    agent.about(before[0], "ack")
    before = [*before[1:], *agent.messages(1)]

    agent.drop()
    shared.send(bob, "urgent", priority=9)
    again = Agent(shared, bob)
    again.hello(instance_id="one", credit=10)

    assert leases(again.messages(3)) == leases(before)
    (urgent,) = again.messages(1)
    assert urgent["body"] == "urgent"
    assert [again.about(one, "ack")["status"] for one in [*before, urgent]] == ["acknowledged"] * 4
    assert shared.leased(bob) == shared.waiting(bob) == 0


def test_what_exceeds_the_new_credit_of_an_instance_waits_for_its_turn(
    shared: Server, bob: str
) -> None:
    shared.send(bob, *(str(number) for number in range(10)))
    agent = Agent(shared, bob)
    agent.hello(instance_id="one", credit=10)
    before = agent.messages(10)
    agent.drop()

    again = Agent(shared, bob)
    again.hello(instance_id="one", credit=4)

    resumed = again.messages(4)
    assert leases(resumed) == leases(before[:4])
    assert again.pushed_meanwhile() == []
    again.about(resumed[0], "ack")
    (fifth,) = again.messages(1)
    assert (fifth["id"], fifth["attempt"]) == (before[4]["id"], 1)


def test_without_an_instance_what_was_pushed_goes_back_at_once(shared: Server, bob: str) -> None:
    shared.send(bob, "1", "2")
    agent, other = Agent(shared, bob), Agent(shared, bob)
    agent.hello()
    other.hello(credit=0)
    before = agent.messages(2)

    agent.drop()

    until(lambda: shared.waiting(bob) == 2, within=WITHIN, what="both are back")
    other.ask(type="credit", more=2)
    again = other.messages(2)
    assert [(one["id"], one["attempt"]) for one in again] == [(one["id"], 1) for one in before]


def test_frames_sent_just_before_leaving_are_carried_out(shared: Server, bob: str) -> None:
    shared.send(bob, *(str(number) for number in range(20)))
    agent = Agent(shared, bob)
    agent.hello()

    for message in agent.messages(20):
        agent.say(type="ack", id=message["id"], lease_token=message["lease"]["token"])
    agent.say(type="send", message={"to": bob, "body": "last words"})
    agent.socket.close()

    until(lambda: shared.leased(bob) == 0, within=WITHIN, what="all is acknowledged")
    until(
        lambda: shared.broker.router.drain() or shared.waiting(bob) == 1,
        within=WITHIN,
        what="the last message is on its way",
    )


def test_a_newer_connection_of_an_instance_ends_the_older(shared: Server, bob: str) -> None:
    shared.send(bob, "1")
    older = Agent(shared, bob)
    older.hello(instance_id="one")
    pushed = older.messages(1)

    newer = Agent(shared, bob)
    newer.hello(instance_id="one")

    assert leases(newer.messages(1)) == leases(pushed)
    assert older.closed() == 4409
    assert shared.waiting(bob) == 0


def test_two_connections_share_the_work_and_no_message_comes_twice(
    shared: Server, bob: str
) -> None:
    connections = [Agent(shared, bob), Agent(shared, bob)]
    for connection in connections:
        connection.hello(credit=5)
    taken: list[str] = []
    over = threading.Event()

    def work(agent: Agent) -> int:
        agent.socket.settimeout(0.2)
        number = 0
        while not over.is_set():
            try:
                (message,) = agent.messages(1)
            except websocket.WebSocketTimeoutException:
                continue
            taken.append(message["id"])
            number += 1
            agent.say(type="ack", id=message["id"], lease_token=message["lease"]["token"])
            if len(taken) == 300:
                over.set()
        return number

    with ThreadPoolExecutor(2) as pool:
        working = [pool.submit(work, connection) for connection in connections]
        sent = [one for _ in range(30) for one in shared.send(bob, *("x" for _ in range(10)))]
        over.wait(WITHIN)
        over.set()
        shares = [one.result() for one in working]

    assert sorted(taken) == sorted(sent)
    assert min(shares) > 0


def test_a_reader_that_does_not_read_holds_no_more_than_its_credit(
    shared: Server, bob: str
) -> None:
    body = "x" * 100_000
    agent = Agent(shared, bob)
    agent.hello(credit=200)
    shared.send(bob, *([body] * 250))

    until(lambda: shared.leased(bob) > 0, within=WITHIN, what="some are pushed")

    other = Agent(shared, register(shared, f"{bob}-other"))
    other.hello()
    shared.send(other.id, "others are served")
    assert other.messages(1)[0]["body"] == "others are served"
    assert shared.leased(bob) <= 200
    assert shared.waiting(bob) >= 50
    agent.drop()
    until(lambda: shared.waiting(bob) == 250, within=WITHIN, what="all are back")


def test_a_frame_that_is_too_large_ends_the_connection(
    tmp_path: Path, redis_url: str, jobs_redis_url: str, namespace: str
) -> None:
    limits = {"WAYSTATION_MAX_BODY_BYTES": "1000", "WAYSTATION_MAX_REQUEST_BYTES": "4096"}
    with serving(
        tmp_path, redis_url, jobs_redis_url, WAYSTATION_NAMESPACE=namespace, **limits
    ) as server:
        agent = Agent(server, register(server, "bob"))
        large = agent.ask(type="send", message={"to": "bob", "body": "x" * 2000})
        assert large["problem"]["code"] == "message_too_large"

        agent.say(type="send", message={"to": "bob", "body": "x" * 100_000})

        assert agent.closed() == 1009


def test_a_server_that_stops_says_so_and_what_it_pushed_is_not_lost(own_server: Server) -> None:
    for agent in ("bob", "carol"):
        register(own_server, agent, "one")
        own_server.send(agent, "1", "2")
    bob, carol = Agent(own_server, "bob"), Agent(own_server, "carol")
    bob.hello(instance_id="one")
    carol.hello()
    held = bob.messages(2)
    carol.messages(2)

    own_server.terminate()

    assert (bob.closed(), carol.closed()) == (1012, 1012)
    assert (own_server.leased("bob"), own_server.waiting("bob")) == (2, 0)
    assert (own_server.leased("carol"), own_server.waiting("carol")) == (0, 2)
    own_server.stop()
    own_server.start()
    again = Agent(own_server, "bob")
    again.hello(instance_id="one")
    assert leases(again.messages(2)) == leases(held)


def test_a_server_killed_while_it_pushes_loses_nothing(own_server: Server) -> None:
    register(own_server, "bob", "one")
    sent = own_server.send("bob", *(str(number) for number in range(200)))
    finished: list[str] = []

    def finish(agent: Agent, number: int) -> None:
        for _ in range(number):
            (message,) = agent.messages(1)
            agent.about(message, "ack")
            finished.append(message["id"])

    agent = Agent(own_server, "bob")
    agent.hello(instance_id="one", credit=40)
    finish(agent, 70)
    own_server.kill()
    with pytest.raises((Closed, OSError, websocket.WebSocketException)):
        finish(agent, 200)
    own_server.start()
    again = Agent(own_server, "bob")
    again.hello(instance_id="one", credit=40)
    finish(again, len(sent) - len(finished))

    assert set(finished) == set(sent)
    assert own_server.leased("bob") == own_server.waiting("bob") == 0


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis that a test may stop."""
    with running(binary_for("embedded"), appendonly="yes", appendfsync="always") as server:
        yield server


def test_while_redis_is_away_calls_are_refused_and_connections_stay(
    tmp_path: Path, own_redis: RedisServer
) -> None:
    with serving(tmp_path, own_redis.url, own_redis.url) as server:
        register(server, "bob", "one")
        register(server, "carol")
        bob = Agent(server, "bob")
        bob.hello(instance_id="one")
        server.send("bob", "before")
        (before,) = bob.messages(1)

        own_redis.kill()
        refused = bob.ask(type="send", message={"to": "bob", "body": "lost?"})
        carol = Agent(server, "carol")
        carol.say(type="hello")
        own_redis.start()
        server.send("bob", "after")

        assert refused["problem"]["code"] == "storage_unavailable"
        assert bob.about(before, "ack")["status"] == "acknowledged"
        assert bob.messages(1)[0]["body"] == "after"
        assert carol.next("hello")["agent_id"] == "carol"


def test_an_agent_that_is_deleted_is_disconnected(shared: Server, bob: str) -> None:
    agent = Agent(shared, bob)
    agent.hello()

    shared.broker.agents.delete(AgentId(bob))

    assert agent.closed() == 4404
