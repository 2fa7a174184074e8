"""Watching over HTTP: server-sent events of a real web server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from broker.security.api_keys import NewKey
from tests.contract.conftest import Api
from tests.contract.faces import Face
from tests.contract.watcher import Watcher
from tests.contract.websocket_server import Server, register, serving

pytestmark = pytest.mark.contract

MANY = 100

Watch = Callable[..., Watcher]


@pytest.fixture
def watch(open_server: Server) -> Iterator[Watch]:
    """Watchers of the server, whose stream has begun."""
    opened: list[Watcher] = []

    def open_one(query: str = "", **headers: str) -> Watcher:
        watcher = Watcher(open_server.port, query, **headers)
        opened.append(watcher)
        return watcher.begun()

    yield open_one
    for watcher in opened:
        watcher.close()


def names(events: list[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


def test_a_watcher_is_told_the_way_of_a_message(watch: Watch, face: Face, namespace: str) -> None:
    sender, recipient = face.register(f"a-{namespace}"), face.register(f"b-{namespace}")
    watcher = watch(f"?agent={recipient}&events=delivery.*")

    sent = face.send(sender, recipient)
    (message,) = face.fetch(recipient)
    face.ack(recipient, message)

    told = watcher.until("delivery.acknowledged")
    assert names(told) == ["delivery.queued", "delivery.leased", "delivery.acknowledged"]
    assert {str(event["items"]) for event in told} == {
        str([{"message_id": sent["id"], "agent_id": recipient}])
    }
    assert all(event["at"].endswith("Z") for event in told)


def test_an_agent_is_told_of_its_own_until_its_key_is_revoked(
    guarded_server: Server, namespace: str
) -> None:
    alice, bob, carol = (register(guarded_server, f"{name}-{namespace}") for name in "abc")
    keys = guarded_server.broker.identity.keys
    issued = keys.create(NewKey(name="bob", scopes=(f"agent:{bob}",)), created_by="t")
    watcher = Watcher(
        guarded_server.port, "?events=delivery.queued", Authorization=f"Bearer {issued.token}"
    ).begun()

    guarded_server.send(carol, "not for bob")
    (sent,) = guarded_server.send(bob, "for bob")
    told = watcher.next()
    keys.revoke(issued.key.id)

    assert alice not in str(told)
    assert told["items"] == [{"message_id": sent, "agent_id": bob}]
    assert watcher.ended() == []


def test_nobody_watches_without_a_key(guarded_server: Server) -> None:
    assert Watcher(guarded_server.port).status == 401


def test_a_stream_says_what_it_is_and_that_nobody_is_to_keep_it(watch: Watch) -> None:
    watcher = watch()

    assert watcher.status == 200
    assert watcher.headers["content-type"] == "text/event-stream"
    assert watcher.headers["cache-control"] == "no-cache, no-transform"
    assert watcher.headers["x-accel-buffering"] == "no"


def test_a_stream_comes_in_chunks_where_connections_are_kept(open_server: Server) -> None:
    url = f"http://127.0.0.1:{open_server.port}/api/v1/events"

    with requests.get(url, stream=True, timeout=10) as response:
        first = next(response.iter_lines())

    assert response.headers["Transfer-Encoding"] == "chunked"
    assert first == b"retry: 2000"


def test_a_watcher_that_comes_back_goes_on_where_it_was(
    watch: Watch, face: Face, namespace: str
) -> None:
    sender, recipient = face.register(f"a-{namespace}"), face.register(f"b-{namespace}")
    watcher = watch(f"?agent={sender}&events=message.accepted")
    sent = [face.send(sender, recipient)["id"]]
    watcher.next()
    watcher.close()

    sent += [face.send(sender, recipient)["id"] for _ in range(3)]
    again = watch(
        f"?agent={sender}&events=message.accepted&after=1-0",
        last_event_id=watcher.last_event_id,
    )

    told = [again.next() for _ in range(3)]
    assert [event["items"][0]["message_id"] for event in told] == sent[1:]


def test_a_watcher_that_was_told_nothing_yet_comes_back_to_where_it_began(
    watch: Watch, face: Face, namespace: str
) -> None:
    sender = face.register(f"a-{namespace}")
    watcher = watch(f"?agent={sender}&events=message.accepted")
    watcher.close()

    sent = face.send(sender, sender)["id"]
    again = watch(f"?agent={sender}&events=message.accepted", last_event_id=watcher.last_event_id)

    assert again.next()["items"] == [{"message_id": sent}]


def test_events_that_are_no_longer_kept_are_announced(watch: Watch) -> None:
    watcher = watch("?after=9999999999999-0")

    assert watcher.next() == {"event": "gap", "after": "9999999999999-0"}


def test_who_does_not_follow_is_told_what_happened_so_far(api: Api) -> None:
    sent = api.send()

    response = api.call("GET", f"/events?follow=false&message={sent}")

    assert response.text.count("data: ") == 2
    assert '{"event":"delivery.queued",' in response.text


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("events=delivery", "events.0"),
        ("events=*", "events.0"),
        ("after=yesterday", "after"),
        ("agent=*", "agent"),
        ("message=1", "message"),
        ("follow=no", "follow"),
        ("since=1-0", "since"),
    ],
)
def test_what_is_not_understood_is_refused(api: Api, query: str, field: str) -> None:
    response = api.call("GET", f"/events?{query}")

    assert response.status_code == 422
    assert [error["field"] for error in response.get_json()["errors"]] == [field]


def test_a_last_event_id_that_nobody_gave_out_is_refused(api: Api) -> None:
    response = api.call("GET", "/events", headers={"Last-Event-ID": "x"})

    assert response.status_code == 422
    assert response.get_json()["errors"][0]["field"] == "Last-Event-ID"


def test_a_question_for_the_headers_alone_watches_nothing(api: Api) -> None:
    response = api.call("HEAD", "/events")

    assert response.status_code == 200
    assert response.data == b""


def test_watchers_by_the_hundred_are_all_told(
    watch: Watch, open_server: Server, namespace: str
) -> None:
    recipient = register(open_server, f"b-{namespace}")
    watchers = [watch(f"?agent={recipient}&events=delivery.queued") for _ in range(MANY)]

    (sent,) = open_server.send(recipient, "hello")

    expected = [{"message_id": sent, "agent_id": recipient}]
    assert [watcher.next()["items"] for watcher in watchers] == [expected] * MANY
    health = requests.get(f"http://127.0.0.1:{open_server.port}/health", timeout=10)
    assert health.ok


def test_a_watcher_does_not_hold_up_the_stop(
    tmp_path: Path, redis_url: str, jobs_redis_url: str, namespace: str
) -> None:
    environ = {"WAYSTATION_NAMESPACE": namespace}
    with serving(tmp_path, redis_url, jobs_redis_url, **environ) as server:
        watcher = Watcher(server.port).begun()
        agent = register(server, "bob")

        server.stop()

        assert names(watcher.ended()) in ([], ["agent.registered"])
        assert agent
