"""Rate limits as callers meet them, over HTTP and WebSocket, and the sizes that are bounded."""

import contextlib
import http.client
import logging
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.factory import create_app
from broker.security.api_keys import NewKey
from broker.wiring import Broker, build_broker
from tests.conftest import MakeBroker, MakeSettings
from tests.contract.websocket_server import Agent, Server, register, serving

pytestmark = pytest.mark.contract

# So long that nothing comes back during a test.
GUARDED = {"auth": "required", "rate_limit": "5/hour", "rate_limit_anonymous": "3/hour"}


class Caller:
    """Who asks a station that limits its callers."""

    def __init__(self, client: FlaskClient, token: str | None = None, **environ: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._environ = environ

    def get(self, path: str) -> TestResponse:
        return self._client.get(path, headers=self._headers, environ_base=self._environ)

    def post(self, path: str, document: object) -> TestResponse:
        return self._client.post(path, json=document, headers=self._headers)

    def left(self) -> int:
        return int(self.get("/api/v1/agents").headers["RateLimit-Remaining"])


def key_for(broker: Broker, *scopes: str) -> str:
    return broker.identity.keys.create(NewKey(name="k", scopes=scopes), created_by="t").token


@pytest.fixture
def guarded(make_broker: MakeBroker) -> Broker:
    return make_broker(**GUARDED)


@pytest.fixture
def client(settings: MakeSettings, guarded: Broker) -> FlaskClient:
    return create_app(settings(**GUARDED), guarded).test_client()


@pytest.fixture
def alice(client: FlaskClient, guarded: Broker) -> Caller:
    return Caller(client, key_for(guarded, "agent:alice"))


def test_every_answer_says_how_the_allowance_stands(alice: Caller) -> None:
    response = alice.get("/api/v1/agents")

    assert response.status_code == 200
    assert {name: value for name, value in response.headers if name.startswith("RateLimit")} == {
        "RateLimit-Limit": "5",
        "RateLimit-Remaining": "4",
        "RateLimit-Reset": "720",
        "RateLimit-Policy": "5;w=3600",
    }
    assert "Retry-After" not in response.headers


def test_who_asks_for_too_much_is_told_when_to_come_back(alice: Caller) -> None:
    answers = [alice.get("/api/v1/agents") for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    problem = answers[-1].get_json()
    assert (problem["code"], problem["title"]) == ("rate_limited", "Too many for now")
    assert 700 <= int(answers[-1].headers["Retry-After"]) <= 720
    assert answers[-1].headers["RateLimit-Remaining"] == "0"
    assert answers[-1].mimetype == "application/problem+json"


def test_callers_are_limited_apart_and_in_all_that_they_do(
    client: FlaskClient, guarded: Broker, alice: Caller
) -> None:
    bob = Caller(client, key_for(guarded, "agent:bob"))
    for path in ("/api/v1/agents", "/agents", "/api/v1/messages", "/api/v1/nothing", "/metrics"):
        alice.get(path)

    assert alice.get("/api/v1/me").status_code == 429
    assert bob.get("/api/v1/me").status_code == 200


def test_who_shows_no_token_that_holds_shares_the_allowance_of_its_address(
    client: FlaskClient,
) -> None:
    nobody = Caller(client, REMOTE_ADDR="192.0.2.1")
    guesser = Caller(client, "wsk_guess", REMOTE_ADDR="::ffff:192.0.2.1")
    neighbour = Caller(client, REMOTE_ADDR="192.0.2.2")

    answers = [who.get("/api/v1/agents") for who in (nobody, guesser, nobody, guesser, nobody)]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
    assert neighbour.get("/api/v1/agents").status_code == 401


def test_a_network_of_addresses_is_one(client: FlaskClient) -> None:
    callers = [Caller(client, REMOTE_ADDR=f"2001:db8::{number}") for number in range(1, 5)]

    answers = [who.get("/api/v1/agents") for who in callers]

    assert [answer.status_code for answer in answers] == [401, 401, 401, 429]
    other = Caller(client, REMOTE_ADDR="2001:db8:0:1::1")
    assert other.get("/api/v1/agents").status_code == 401


def test_probes_are_never_refused(client: FlaskClient) -> None:
    probe = Caller(client, REMOTE_ADDR="192.0.2.1")

    answers = [probe.get(path) for path in ("/health", "/health/ready") * 5]

    assert {answer.status_code for answer in answers} == {200, 503}
    assert not any("RateLimit-Limit" in answer.headers for answer in answers)
    assert {answer.get_json().get("code", "not_ready") for answer in answers} == {"not_ready"}


def test_a_batch_counts_as_its_messages(
    client: FlaskClient, guarded: Broker, alice: Caller
) -> None:
    guarded.agents.register("bob", {})  # type: ignore[arg-type]
    message = {"from": "alice", "to": "bob", "body": "hi"}

    first = alice.post("/api/v1/messages/batch", {"messages": [message] * 3})
    left = alice.left()
    large = alice.post("/api/v1/messages/batch", {"messages": [message] * 100})
    refused = alice.post("/api/v1/messages", message)

    assert (first.status_code, left) == (202, 1)
    assert large.status_code == 202  # what is owed is paid off before anything else is granted
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) > 95 * 720


def test_two_processes_count_together(
    settings: MakeSettings, make_broker: MakeBroker, alice: Caller, guarded: Broker
) -> None:
    other_process = create_app(settings(**GUARDED), make_broker(**GUARDED)).test_client()
    token = key_for(guarded, "agent:bob")
    here = Caller(alice._client, token)
    there = Caller(other_process, token)

    assert [who.left() for who in (here, there, here, there, here)] == [4, 3, 2, 1, 0]
    assert there.get("/api/v1/agents").status_code == 429


def test_several_rates_hold_together(settings: MakeSettings, make_broker: MakeBroker) -> None:
    both = GUARDED | {"rate_limit": "100/hour;2/day"}
    broker = make_broker(**both)
    client = create_app(settings(**both), broker).test_client()
    alice = Caller(client, key_for(broker, "agent:alice"))

    answers = [alice.get("/api/v1/agents") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["RateLimit-Policy"] == "2;w=86400"


def test_without_tokens_nothing_is_limited_or_counted(
    settings: MakeSettings, broker: Broker
) -> None:
    client = create_app(settings(), broker).test_client()

    response = client.get("/api/v1/agents")

    counted = broker.jobs.command("KEYS", f"{{{broker.keys.namespace}}}:allowance:*")
    assert "RateLimit-Limit" not in response.headers
    assert counted == []


def test_without_tokens_all_callers_together_can_be_limited(
    settings: MakeSettings, broker: Broker
) -> None:
    client = create_app(settings(rate_limit="2/hour"), broker).test_client()

    answers = [client.get("/api/v1/agents").status_code for _ in range(3)]

    assert answers == [200, 200, 429]


def test_an_outage_is_a_503_and_nothing_worse(
    settings: MakeSettings, caplog: pytest.LogCaptureFixture
) -> None:
    away = settings(
        redis_url="redis://127.0.0.1:1/0",
        jobs_redis_url="redis://127.0.0.1:1/0",
        admin_token="x" * 40,
        **GUARDED,
    )
    client = create_app(away, build_broker(away)).test_client()
    admin, nobody = Caller(client, "x" * 40), Caller(client)

    with caplog.at_level(logging.ERROR):
        answers = [who.get("/api/v1/agents") for who in (admin, nobody) * 4]

    assert [answer.status_code for answer in answers] == [503, 401] * 4
    assert answers[0].get_json()["code"] == "storage_unavailable"
    assert "Retry-After" in answers[0].headers


# --- real servers ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def limited_server(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, jobs_redis_url: str
) -> Iterator[Server]:
    with serving(
        tmp_path_factory.mktemp("web"),
        redis_url,
        jobs_redis_url,
        WAYSTATION_NAMESPACE="limits",
        WAYSTATION_AUTH="required",
        WAYSTATION_RATE_LIMIT="5/hour",
    ) as running:
        yield running


def test_frames_and_requests_spend_of_the_same(limited_server: Server, namespace: str) -> None:
    agent = register(limited_server, f"a-{namespace}")
    token = key_for(limited_server.broker, f"agent:{agent}")
    connected = Agent(limited_server, agent, header={"Authorization": f"Bearer {token}"})
    connected.hello()

    said = [connected.ask(type="send", message={"to": agent, "body": "hi"}) for _ in range(5)]

    assert [answer["type"] for answer in said] == ["ok"] * 4 + ["error"]  # the handshake was one
    assert said[-1]["problem"]["code"] == "rate_limited"
    assert 700 <= said[-1]["retry_after_seconds"] <= 720
    asked = ask(limited_server, "/api/v1/agents", {"Authorization": f"Bearer {token}"})
    assert asked.status == 429
    limited_server.broker.router.drain()
    (message,) = connected.messages(1)
    assert connected.about(message, "ack")["type"] == "ok"  # the connection goes on
    connected.drop()


def ask(server: Server, path: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", path, headers=headers)
    return connection.getresponse()


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/" + "a" * 5_000, {}, 414),
        ("/api/v1/agents?" + "a" * 5_000, {}, 414),
        ("/health", {"X-Long": "a" * 9_000}, 431),
        ("/health", {f"X-{number}": "a" for number in range(200)}, 431),
    ],
)
def test_heads_of_requests_are_bounded(
    open_server: Server, path: str, headers: dict[str, str], status: int
) -> None:
    assert ask(open_server, path, headers).status == status


def test_a_body_of_undeclared_length_is_read_no_further_than_it_may_be(open_server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", open_server.port, timeout=30)
    endless = (b"x" * 65_536 for _ in range(64))

    with contextlib.suppress(ConnectionError):  # it need not wait for the rest
        connection.request(
            "POST",
            "/api/v1/messages",
            endless,
            {"Content-Type": "application/json", "Transfer-Encoding": "chunked"},
            encode_chunked=True,
        )

    assert connection.getresponse().status == 413
