"""Webhooks over REST: set, shown, tried, given new secrets, removed; and pushed from every face."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.factory import create_app
from broker.kernel.ids import AgentId
from config.settings import ROOT
from tests.conftest import MakeBroker, MakeSettings
from tests.contract.all_faces import FACES, each_face
from tests.contract.conftest import Api
from tests.contract.faces import Face, Http
from tests.contract.websocket_server import Server, serving
from tests.process.stations import free_port
from tests.receivers import Receiver, Reply, receiving
from tests.waiting import until

pytestmark = pytest.mark.contract

PUBLIC = "https://8.8.8.8/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def inner(settings: MakeSettings, make_broker: MakeBroker) -> Iterator[Api]:
    """The application of a station that may post to loopback, with alice and bob registered."""
    broker = make_broker(webhook_allow_private=True)
    application = create_app(settings(webhook_allow_private=True), broker)
    api = Api(client=application.test_client(), broker=broker)
    api.register("alice", "bob")
    yield api
    broker.pusher.stop(10)


def put(api: Api, url: str, agent: str = "bob", **fields: Any) -> dict[str, Any]:
    response = api.call("PUT", f"/agents/{agent}/webhook", json={"url": url} | fields)
    assert response.status_code in {200, 201}, response.json
    document: dict[str, Any] = response.get_json()
    return document


def shown(api: Api, agent: str = "bob") -> dict[str, Any]:
    response = api.get(f"/agents/{agent}/webhook")
    assert response.status_code == 200, response.json
    document: dict[str, Any] = response.get_json()
    return document


def test_the_secret_is_shown_once_and_header_values_never(api: Api) -> None:
    wanted = {"url": PUBLIC, "timeout_seconds": 5, "headers": {"Authorization": "Bearer hidden"}}

    created = api.call("PUT", "/agents/bob/webhook", json=wanted)
    changed = api.call("PUT", "/agents/bob/webhook", json=wanted | {"timeout_seconds": 7.5})

    assert (created.status_code, changed.status_code) == (201, 200)
    assert created.get_json()["secret"].startswith("whsec_")
    assert set(changed.get_json()) == set(shown(api)) == {"webhook"}
    webhook = shown(api)["webhook"]
    assert webhook["url"] == PUBLIC
    assert webhook["timeout_seconds"] == 7.5
    assert webhook["headers"] == ["authorization"]
    assert webhook["status"] == "active"
    assert webhook["breaker"] == {"state": "closed", "failures": 0, "retry_at": None}
    assert webhook["last_success_at"] is webhook["last_failure"] is None
    assert "hidden" not in created.text + changed.text
    assert api.get("/agents/bob").get_json()["agent"]["transport"] == "webhook"


def test_a_webhook_that_is_removed_is_gone(api: Api) -> None:
    secret = put(api, PUBLIC)["secret"]

    assert api.call("DELETE", "/agents/bob/webhook").status_code == 204

    assert api.get("/agents/bob/webhook").get_json()["code"] == "webhook_not_found"
    assert api.call("DELETE", "/agents/bob/webhook").get_json()["code"] == "webhook_not_found"
    for action in ("rotate-secret", "test"):
        refused = api.post(f"/agents/bob/webhook/{action}")
        assert (refused.status_code, refused.get_json()["code"]) == (404, "webhook_not_found")
    assert api.get("/agents/bob").get_json()["agent"]["transport"] == "pull"
    assert put(api, PUBLIC)["secret"] != secret


def test_only_a_registered_agent_has_one(api: Api) -> None:
    for method, action in (("PUT", ""), ("GET", ""), ("DELETE", ""), ("POST", "/test")):
        body = {"json": {"url": PUBLIC}} if method == "PUT" else {}
        refused = api.call(method, f"/agents/bo/webhook{action}", **body)
        assert (refused.status_code, refused.get_json()["code"]) == (404, "unknown_agent")
        assert "bob" in refused.get_json()["detail"]


@pytest.mark.parametrize(
    "url",
    [
        "http://8.8.8.8/hook",
        "https://127.0.0.1/hook",
        "https://localhost/hook",
        "https://2130706433/hook",
        "https://[::ffff:10.0.0.1]/hook",
        "https://169.254.169.254/latest/meta-data",
        "https://user:password@8.8.8.8/",
        "https://8.8.8.8/#part",
        "file:///etc/passwd",
    ],
)
def test_a_url_to_which_the_station_would_not_post_is_refused_at_once(api: Api, url: str) -> None:
    refused = api.call("PUT", "/agents/bob/webhook", json={"url": url})

    assert refused.status_code == 422
    assert {one["field"] for one in refused.get_json()["errors"]} == {"url"}
    assert "password" not in refused.text.replace("user or password", "")


@pytest.mark.parametrize(
    "fields",
    [
        {"headers": {"Host": "x"}},
        {"headers": {"Webhook-Id": "x"}},
        {"headers": {"Waystation-Agent": "x"}},
        {"headers": {"Content-Length": "1"}},
        {"headers": {"X": "a\r\nY: b"}},
        {"headers": {"X Y": "a"}},
        {"headers": {"X": "a", "x": "b"}},
        {"headers": {"X": 1}},
        {"headers": {f"x-{number}": "a" for number in range(21)}},
        {"timeout_seconds": 0},
        {"timeout_seconds": 61},
    ],
)
def test_what_would_garble_the_request_is_refused(api: Api, fields: dict[str, Any]) -> None:
    refused = api.call("PUT", "/agents/bob/webhook", json={"url": PUBLIC} | fields)

    assert refused.status_code == 422
    assert [one["field"] for one in refused.get_json()["errors"]] == list(fields)


def test_a_test_shows_what_the_endpoint_answers(inner: Api, receiver: Receiver) -> None:
    secret = put(inner, receiver.url)["secret"]
    receiver.behaviour = lambda _: Reply(status=500, body=b"no room")

    failed = inner.post("/agents/bob/webhook/test").get_json()
    receiver.answers(200)
    passed = inner.post("/agents/bob/webhook/test").get_json()

    assert (failed["delivered"], passed["delivered"]) == (False, True)
    assert failed["answer"] == "500 Internal Server Error: no room"
    assert receiver.ids() == [failed["webhook_id"], passed["webhook_id"]]
    (first, _) = receiver.requests
    assert first.is_signed_with(secret)
    assert (first.message["kind"], first.message["from"]) == ("ping", "system")
    assert inner.get(f"/messages/{first.id}").status_code == 404
    assert shown(inner)["webhook"]["breaker"]["failures"] == 0


def test_both_secrets_verify_during_the_overlap_and_one_after_it(
    inner: Api, receiver: Receiver
) -> None:
    old = put(inner, receiver.url)["secret"]

    new = inner.post("/agents/bob/webhook/rotate-secret", {"overlap_seconds": 60}).get_json()
    inner.post("/agents/bob/webhook/test")
    (during,) = receiver.requests

    assert shown(inner)["webhook"]["old_secret_until"] is not None
    assert during.is_signed_with(old)
    assert during.is_signed_with(new["secret"])
    newest = inner.post("/agents/bob/webhook/rotate-secret", {"overlap_seconds": 0}).get_json()
    inner.post("/agents/bob/webhook/test")
    after = receiver.requests[1]
    assert after.is_signed_with(newest["secret"])
    assert len(after.headers["webhook-signature"].split(" ")) == 1
    assert shown(inner)["webhook"]["old_secret_until"] is None


def test_a_webhook_shows_how_its_endpoint_fares(inner: Api, receiver: Receiver) -> None:
    put(inner, receiver.url)
    receiver.answers(500)
    inner.send()
    inner.broker.pusher.push()
    until(lambda: shown(inner)["webhook"]["last_failure"], within=5, what="the failure is noted")
    receiver.answers(200)
    identifier = inner.send()
    inner.broker.pusher.push()
    until(lambda: shown(inner)["webhook"]["last_success_at"], within=5, what="so is the success")

    webhook = shown(inner)["webhook"]
    assert webhook["last_failure"] == "500 Internal Server Error"
    assert webhook["breaker"]["failures"] == 0
    receipts = inner.get(f"/messages/{identifier}/receipts").get_json()["receipts"]
    assert [one["status"] for one in receipts] == ["acknowledged"]


def example() -> str:
    """The receiver of docs/webhooks.md."""
    found = re.search(
        r"```python file=receiver.py\n(.*?)```", (ROOT / "docs/webhooks.md").read_text(), re.DOTALL
    )
    assert found is not None
    return found[1]


@contextmanager
def example_running(directory: Path, port: int, secret: str) -> Iterator[Path]:
    """Run it as its reader would; what it prints."""
    script, output = directory / "receiver.py", directory / "output"
    script.write_text(example())
    with output.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, script, str(port)],
            env=os.environ | {"WEBHOOK_SECRET": secret},
            stdout=stream,
            stderr=subprocess.DEVNULL,
        )
    try:
        yield output
    finally:
        process.kill()
        process.wait()


def test_the_receiver_of_the_documentation_verifies(inner: Api, tmp_path: Path) -> None:
    port = free_port()
    secret = put(inner, f"http://127.0.0.1:{port}/hook")["secret"]

    def tried() -> dict[str, Any]:
        document: dict[str, Any] = inner.post("/agents/bob/webhook/test").get_json()
        return document

    with example_running(tmp_path, port, secret) as output:
        until(lambda: tried()["delivered"], within=10, what="the receiver answers")
        inner.send(body="please review PR 12")
        inner.broker.pusher.push()
        said = "alice says: please review PR 12"
        until(lambda: said in output.read_text(), within=5, what="it says what came")
        inner.post("/agents/bob/webhook/rotate-secret", {"overlap_seconds": 0})

        assert tried()["answer"].startswith("401")


def test_who_watches_is_told_of_a_webhook_and_its_breaker(
    settings: MakeSettings, make_broker: MakeBroker, receiver: Receiver
) -> None:
    chosen: Any = {"webhook_allow_private": True, "breaker_failures": 1}
    broker = make_broker(**chosen)
    api = Api(client=create_app(settings(**chosen), broker).test_client(), broker=broker)
    api.register("alice", "bob")
    put(api, receiver.url)
    receiver.answers(500)
    api.send()
    broker.pusher.push()
    until(lambda: shown(api)["webhook"]["breaker"]["failures"], within=5, what="it has failed")
    assert shown(api)["webhook"]["breaker"]["state"] == "open"
    assert "waystation_breakers_open 1.0" in api.client.get("/metrics").text
    broker.pusher.stop(10)

    api.call("DELETE", "/agents/bob/webhook")

    told = api.get("/events", follow="false", events="webhook.*,breaker.*").text
    events = [json.loads(line[6:]) for line in told.splitlines() if line.startswith("data: ")]
    names = ["webhook.created", "breaker.opened", "breaker.closed", "webhook.removed"]
    assert [one["event"] for one in events] == names
    assert all(one["items"] == [{"id": "webhook", "agent_id": "bob"}] for one in events)
    assert "waystation_breakers_open 0.0" in api.client.get("/metrics").text


# --- through every face -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pushing_server(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, jobs_redis_url: str
) -> Iterator[Server]:
    """A real web server of a station that may post to loopback."""
    with serving(
        tmp_path_factory.mktemp("web"),
        redis_url,
        jobs_redis_url,
        WAYSTATION_NAMESPACE="pushing",
        WAYSTATION_WEBHOOK_ALLOW_PRIVATE="true",
    ) as running:
        yield running
        running.broker.pusher.stop(10)


@pytest.fixture(params=FACES)
def face(pushing_server: Server, request: pytest.FixtureRequest) -> Iterator[Face]:
    """Each face of that station in turn."""
    yield from each_face(pushing_server, request.param)


def test_what_is_sent_by_any_face_is_pushed(
    face: Face, pushing_server: Server, namespace: str, receiver: Receiver
) -> None:
    alice, bob = face.register(f"alice-{namespace}"), face.register(f"bob-{namespace}")
    http = Http(pushing_server)
    secret = http.call("PUT", f"/agents/{bob}/webhook", json={"url": receiver.url})["secret"]
    assert http.call("POST", f"/agents/{bob}/webhook/test")["delivered"]

    sent = face.send(alice, bob, "please review PR 12")
    pushing_server.broker.pusher.push()
    (_, received) = receiver.wait_for(2)

    assert received.is_signed_with(secret)
    assert received.id == received.message["id"] == sent["id"]
    assert received.message["body"] == "please review PR 12"
    until(lambda: face.nothing_for(bob), within=5, what="it is done with")


def test_a_test_of_an_endpoint_that_never_answers_ends_in_time(
    pushing_server: Server, namespace: str, receiver: Receiver
) -> None:
    goes_on = threading.Event()
    receiver.behaviour = lambda _: Reply(status=204 if goes_on.wait(20) else 500)
    http, bob = Http(pushing_server), f"bob-{namespace}"
    http.register(bob)
    wanted = {"url": receiver.url, "timeout_seconds": 1}
    http.call("PUT", f"/agents/{bob}/webhook", json=wanted)

    tried = http.call("POST", f"/agents/{bob}/webhook/test")
    goes_on.set()

    assert tried["delivered"] is False
    assert tried["answer"] == "no complete answer within 1 seconds"
    assert 900 < tried["duration_ms"] < 10_000


def test_an_agent_that_is_deleted_is_posted_nothing(inner: Api, receiver: Receiver) -> None:
    put(inner, receiver.url)
    inner.call("DELETE", "/agents/bob")
    inner.register("bob")

    assert inner.get("/agents/bob/webhook").status_code == 404
    assert inner.broker.redis.command("EXISTS", inner.broker.keys.webhook(AgentId("bob"))) == 0
