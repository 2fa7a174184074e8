"""Inboxes over REST: leasing, and finishing, returning or keeping what was leased."""

import threading

import pytest
from apiflask import APIFlask

from tests.contract.conftest import Api

pytestmark = pytest.mark.contract


def test_a_message_arrives_with_a_lease(api: Api) -> None:
    identifier = api.send(priority="high", subject="s", payload={"n": 1})

    message = api.fetch(lease_seconds=5)[0]

    assert set(message) == {
        "id",
        "from",
        "to",
        "kind",
        "priority",
        "subject",
        "body",
        "payload",
        "meta",
        "channel",
        "thread_id",
        "reply_to",
        "created_at",
        "expires_at",
        "attempt",
        "lease",
    }
    assert (message["id"], message["priority"], message["attempt"]) == (identifier, "high", 1)
    assert set(message["lease"]) == {"token", "expires_at"}


def test_the_inbox_has_a_second_name(api: Api) -> None:
    identifier = api.send()

    response = api.get("/messages/bob")

    assert [one["id"] for one in response.get_json()["messages"]] == [identifier]


def test_looking_does_not_lease(api: Api) -> None:
    identifier = api.send()

    shown = api.fetch(peek="true")

    assert [(one["id"], one["lease"]) for one in shown] == [(identifier, None)]
    assert [one["id"] for one in api.fetch()] == [identifier]


def test_a_head_request_does_not_lease(api: Api) -> None:
    identifier = api.send()

    response = api.call("HEAD", "/agents/bob/inbox")

    assert response.status_code == 200
    assert [one["attempt"] for one in api.fetch()] == [1]
    assert api.get(f"/messages/{identifier}").get_json()["status"] == "leased"


def test_the_most_urgent_come_first_and_can_be_asked_for_alone(api: Api) -> None:
    low, urgent = api.send(priority="low"), api.send(priority=9)

    asked = api.fetch(min_priority="high")

    assert [one["id"] for one in asked] == [urgent]
    assert [one["id"] for one in api.fetch(min_priority=0)] == [low]


def test_kinds_can_be_asked_for(api: Api) -> None:
    task, file = api.send(kind="task"), api.send(kind="file")
    api.send(kind="chat")

    found = api.fetch(kinds="task,file")

    assert [one["id"] for one in found] == [task, file]


def test_a_long_poll_answers_as_soon_as_a_message_comes(api: Api, application: APIFlask) -> None:
    answers: list[list[str]] = []

    def poll() -> None:
        response = application.test_client().get("/api/v1/agents/bob/inbox?wait_seconds=20")
        answers.append([one["id"] for one in response.get_json()["messages"]])

    waiting = threading.Thread(target=poll)
    waiting.start()
    identifier = api.send()
    waiting.join(timeout=10)

    assert answers == [[identifier]]


def test_an_acknowledged_message_is_done(api: Api) -> None:
    api.send()
    identifier, lease = api.fetch_one()

    response = api.post(f"/messages/{identifier}/ack", lease)

    assert response.get_json() == {"id": identifier, "status": "acknowledged"}
    assert api.fetch() == []


@pytest.mark.parametrize("action", ["ack", "nack", "extend"])
def test_a_stale_lease_is_a_conflict(api: Api, action: str) -> None:
    api.send()
    identifier, lease = api.fetch_one()
    body = (
        lease | {"lease_token": "1-000000000000"} | ({"seconds": 5} if action == "extend" else {})
    )

    response = api.post(f"/messages/{identifier}/{action}", body)

    assert (response.status_code, response.get_json()["code"]) == (409, "stale_lease")


def test_a_rejected_message_waits_for_its_next_attempt(api: Api) -> None:
    api.send()
    identifier, lease = api.fetch_one()

    response = api.post(f"/messages/{identifier}/nack", lease | {"delay_seconds": 30})

    answer = response.get_json()
    assert (answer["id"], answer["status"]) == (identifier, "waiting")
    assert answer["next_attempt_at"].endswith("Z")


def test_a_permanently_rejected_message_is_dead(api: Api) -> None:
    api.send()
    identifier, lease = api.fetch_one()

    response = api.post(
        f"/messages/{identifier}/nack", lease | {"permanent": True, "reason": "no\nuse"}
    )

    assert response.get_json() == {"id": identifier, "status": "dead", "next_attempt_at": None}


def test_a_lease_can_be_extended_within_the_limit(api: Api) -> None:
    api.send()
    identifier, lease = api.fetch_one()

    extended = api.post(f"/messages/{identifier}/extend", lease | {"seconds": 600})
    refused = api.post(f"/messages/{identifier}/extend", lease | {"seconds": 43_201})

    assert extended.get_json()["lease"]["token"] == lease["lease_token"]
    assert refused.status_code == 422
    assert refused.get_json()["errors"][0]["field"] == "seconds"


def test_reading_is_noted_once(api: Api) -> None:
    identifier = api.send()
    api.fetch()

    first = api.post(f"/messages/{identifier}/read", {"agent_id": "bob"}).get_json()
    second = api.post(f"/messages/{identifier}/read", {"agent_id": "bob"}).get_json()

    assert first["read_at"] == second["read_at"]


def test_many_are_acknowledged_each_by_itself(api: Api) -> None:
    for _ in range(2):
        api.send()
    first, second = api.fetch()
    acks = [
        {"id": first["id"], "lease_token": first["lease"]["token"]},
        {"id": second["id"], "lease_token": "1-000000000000"},
    ]

    results = api.post("/agents/bob/inbox/ack", {"acks": acks}).get_json()["results"]

    assert results[0] == {"id": first["id"], "status": "acknowledged"}
    assert results[1]["id"] == second["id"]
    assert results[1]["problem"]["code"] == "stale_lease"


def test_leases_are_given_back_untouched(api: Api) -> None:
    for _ in range(2):
        api.send()
    first, second = api.fetch()
    leases = [
        {"id": first["id"], "lease_token": first["lease"]["token"]},
        {"id": second["id"], "lease_token": "1-000000000000"},
    ]

    released = api.post("/agents/bob/inbox/release", {"leases": leases}).get_json()

    assert released == {"returned": 1}, "the second lease was another's"
    (again,) = api.fetch()
    assert (again["id"], again["attempt"]) == (first["id"], 1), "no attempt was used up"


def test_a_bad_acknowledgement_is_named_by_its_place(api: Api) -> None:
    acks = [{"id": "msg_x", "lease_token": "t"}, {"id": "msg_" + "0" * 26, "token": "t"}]

    response = api.post("/agents/bob/inbox/ack", {"acks": acks})

    assert response.status_code == 422
    assert [one["field"] for one in response.get_json()["errors"]] == [
        "acks.0.id",
        "acks.1.token",
        "acks.1.lease_token",
    ]


def test_a_superseded_session_may_not_act(api: Api) -> None:
    api.post("/agents/register", {"id": "bob", "instance_id": "one"})
    new = api.post("/agents/register", {"id": "bob", "instance_id": "two"}).get_json()
    old = new["agent"]["epoch"] - 1

    fetched = api.get("/agents/bob/inbox", epoch=old)
    sent = api.post("/messages", {"from": "bob", "to": "alice", "body": "x", "epoch": old})
    beat = api.post("/agents/bob/heartbeat", {"epoch": old})

    assert {fetched.status_code, sent.status_code, beat.status_code} == {409}
    assert fetched.get_json()["code"] == "stale_epoch"


def test_the_inbox_of_an_unknown_agent_is_not_found(api: Api) -> None:
    for path in ("/agents/bobo/inbox", "/messages/bobo"):
        response = api.get(path)

        assert (response.status_code, response.get_json()["code"]) == (404, "unknown_agent")
