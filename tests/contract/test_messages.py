"""Messages over REST: sending, batches, reading, following and withdrawing them."""

import pytest

from tests.contract.conftest import Api

pytestmark = pytest.mark.contract

UNKNOWN = "msg_" + "0" * 26


def test_a_message_is_accepted_with_its_id(api: Api) -> None:
    response = api.post("/messages", {"from": "alice", "to": "bob", "body": "hi"})

    answer = response.get_json()
    assert response.status_code == 202
    assert set(answer) == {"id", "status", "created", "thread_id", "accepted_at"}
    assert (answer["status"], answer["created"]) == ("accepted", True)
    assert answer["thread_id"] == answer["id"]


def test_a_repeated_idempotency_key_answers_with_the_first_message(api: Api) -> None:
    message = {"from": "alice", "to": "bob", "body": "hi"}
    first = api.post("/messages", message | {"idempotency_key": "k"})

    again = api.post("/messages", message, headers={"Idempotency-Key": "k"})

    assert again.status_code == 200
    assert again.get_json() == first.get_json() | {"created": False}


def test_an_idempotency_key_for_another_message_is_a_conflict(api: Api) -> None:
    message = {"from": "alice", "to": "bob", "body": "hi", "idempotency_key": "k"}
    api.post("/messages", message)

    response = api.post("/messages", message | {"body": "other"})

    assert response.status_code == 409
    assert response.get_json()["code"] == "idempotency_conflict"
    assert response.get_json()["errors"][0]["field"] == "idempotency_key"


def test_header_and_field_must_name_the_same_key(api: Api) -> None:
    message = {"from": "alice", "to": "bob", "body": "hi", "idempotency_key": "k"}

    response = api.post("/messages", message, headers={"Idempotency-Key": "other"})

    assert response.status_code == 422
    assert response.get_json()["errors"][0]["field"] == "Idempotency-Key"


def test_an_unknown_recipient_is_refused_with_near_names(api: Api) -> None:
    response = api.post("/messages", {"from": "alice", "to": "bobb", "body": "hi"})

    problem = response.get_json()
    assert response.status_code == 404
    assert problem["code"] == "unknown_agent"
    assert "bob" in problem["detail"]
    assert problem["errors"] == [{"field": "to", "message": "unknown agent bobb"}]


def test_a_message_for_an_agent_to_come_is_held(api: Api) -> None:
    message = {"from": "alice", "to": "carol", "body": "hi", "hold_for_unknown": True}
    sent = api.post("/messages", message)
    api.broker.router.drain()

    api.register("carol")
    api.broker.router.drain()

    assert [one["id"] for one in api.fetch("carol")] == [sent.get_json()["id"]]


def test_a_full_inbox_says_when_to_try_again(api: Api) -> None:
    api.call("PATCH", "/agents/bob", json={"queue_max_depth": 1})
    api.send()

    response = api.post("/messages", {"from": "alice", "to": "bob", "body": "hi"})

    assert response.status_code == 429
    assert response.get_json()["code"] == "inbox_full"
    assert int(response.headers["Retry-After"]) >= 1


def test_json_comes_out_as_it_went_in(api: Api) -> None:
    payload = {"big": 2**200, "text": "über \u2028 \U0001f600", "z": [1.5, None, True], "a": {}}
    api.send(payload=payload, meta=[{"b": 1, "a": 2}])

    message = api.fetch()[0]

    assert message["payload"] == payload
    assert list(message["payload"]) == ["big", "text", "z", "a"]
    assert message["meta"] == [{"b": 1, "a": 2}]


def test_a_batch_answers_for_each_message_in_order(api: Api) -> None:
    good = {"from": "alice", "to": "bob", "body": "hi"}
    batch = [good, good | {"to": "nobody"}, good | {"color": "red", "priority": 99}, 5, good]

    response = api.post("/messages/batch", {"messages": batch})

    results = response.get_json()["results"]
    assert response.status_code == 202
    assert [one["status"] for one in results] == [
        "accepted",
        "rejected",
        "rejected",
        "rejected",
        "accepted",
    ]
    assert set(results[0]) == {"id", "status", "created", "thread_id", "accepted_at"}
    assert results[1]["problem"]["code"] == "unknown_agent"
    assert [one["field"] for one in results[2]["problem"]["errors"]] == [
        "messages.2.color",
        "messages.2.priority",
    ]
    assert [one["field"] for one in results[3]["problem"]["errors"]] == ["messages.3"]


@pytest.mark.parametrize("messages", [[], [{}] * 1001, {}, "x", None])
def test_a_batch_holds_one_to_a_thousand_messages(api: Api, messages: object) -> None:
    response = api.post("/messages/batch", {"messages": messages})

    assert response.status_code == 422
    assert [one["field"] for one in response.get_json()["errors"]] == ["messages"]


def test_a_broadcast_reaches_everyone(api: Api) -> None:
    response = api.post("/broadcast", {"from": "alice", "body": "all"})
    api.broker.router.drain()

    assert response.status_code == 202
    assert [one["to"] for one in api.fetch("bob")] == ["broadcast"]


@pytest.mark.parametrize("to", ["tag:x", ["carol"], {"any_of": ["tag:x"], "not": ["bob"]}])
def test_a_broadcast_may_name_any_targets(api: Api, to: object) -> None:
    api.post("/agents/register", {"id": "carol", "tags": ["x"]})

    response = api.post("/broadcast", {"from": "alice", "to": to, "body": "some"})
    api.broker.router.drain()

    assert response.status_code == 202
    assert [one["to"] for one in api.fetch("carol")] == [to[0] if isinstance(to, list) else to]
    assert api.fetch("bob") == []


def test_a_message_shows_where_it_stands(api: Api) -> None:
    identifier = api.send(subject="s", priority=9, correlation_id="c")

    shown = api.get(f"/messages/{identifier}").get_json()

    assert shown["status"] == "queued"
    assert (shown["from"], shown["to"], shown["priority"]) == ("alice", "bob", "urgent")
    assert shown["correlation_id"] == "c"


def test_a_receipt_has_the_final_verdict(api: Api) -> None:
    identifier = api.send()
    held, lease = api.fetch_one()
    api.post(f"/messages/{held}/ack", lease)

    receipts = api.get(f"/messages/{identifier}/receipts").get_json()["receipts"]

    assert len(receipts) == 1
    assert set(receipts[0]) == {
        "agent_id",
        "status",
        "attempts",
        "routed_at",
        "delivered_at",
        "read_at",
        "finished_at",
    }
    assert (receipts[0]["agent_id"], receipts[0]["status"]) == ("bob", "acknowledged")
    assert receipts[0]["finished_at"].endswith("Z")


def test_a_delayed_message_can_be_cancelled_once(api: Api) -> None:
    identifier = api.send(delay_seconds=60)

    first = api.call("DELETE", f"/messages/{identifier}")
    second = api.call("DELETE", f"/messages/{identifier}")

    assert (first.status_code, first.get_json()) == (
        200,
        {"id": identifier, "status": "cancelled"},
    )
    assert (second.status_code, second.get_json()["code"]) == (409, "not_waiting")


@pytest.mark.parametrize("identifier", [UNKNOWN, "msg_short", "nonsense", "msg_" + "u" * 26])
@pytest.mark.parametrize(
    ("method", "action"),
    [("DELETE", ""), ("GET", "/receipts"), ("POST", "/read")],
)
def test_an_unknown_message_is_not_found(
    api: Api, method: str, action: str, identifier: str
) -> None:
    body = {"json": {"agent_id": "bob"}} if method == "POST" else {}

    response = api.call(method, f"/messages/{identifier}{action}", **body)

    assert (response.status_code, response.get_json()["code"]) == (404, "message_not_found")


def test_messages_are_listed_newest_first_and_paged(api: Api) -> None:
    sent = [api.send(kind=kind) for kind in ("task", "chat", "task", "task")]

    first = api.get("/messages", kind="task", limit=2, **{"from": "alice"}).get_json()
    rest = api.get("/messages", kind="task", limit=2, cursor=first["cursor"]).get_json()

    assert [one["id"] for one in first["messages"]] == [sent[3], sent[2]]
    assert [one["id"] for one in rest["messages"]] == [sent[0]]
    assert rest["cursor"] is None


def test_messages_are_found_by_state_and_time(api: Api) -> None:
    waiting, _ = api.send(), api.send(delay_seconds=60)

    queued = api.get("/messages", status="queued", to="bob").get_json()["messages"]
    later = api.get("/messages", since="2999-01-01T00:00:00Z").get_json()["messages"]

    assert [one["id"] for one in queued] == [waiting]
    assert later == []


def test_a_thread_is_told_in_order(api: Api) -> None:
    opening = api.send()
    reply = api.send(**{"from": "bob", "to": "alice"}, reply_to=opening)
    last = api.send(reply_to=reply)

    page = api.get(f"/threads/{opening}", limit=2).get_json()
    rest = api.get(f"/threads/{opening}", limit=2, cursor=page["cursor"]).get_json()

    assert [one["id"] for one in page["messages"]] == [opening, reply]
    assert [one["id"] for one in rest["messages"]] == [last]
    assert rest["cursor"] is None


def test_an_unknown_thread_is_not_found(api: Api) -> None:
    response = api.get("/threads/never-begun")

    assert (response.status_code, response.get_json()["code"]) == (404, "thread_not_found")
