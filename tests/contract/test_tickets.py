"""Tickets through every face: asking, answering, waiting (SPEC M10); and what only REST offers."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from apiflask import APIFlask

from tests.contract.conftest import Api
from tests.contract.faces import Face, Refused
from tests.waiting import until

pytestmark = pytest.mark.contract

WITHIN = 20


def pair(face: Face, namespace: str) -> tuple[str, str]:
    return face.register(f"alice-{namespace}"), face.register(f"bob-{namespace}")


# --- through every face ---------------------------------------------------------------------


def test_a_question_is_answered(face: Face, namespace: str) -> None:
    alice, bob = pair(face, namespace)
    asked = face.send(alice, bob, "is PR 12 ready?", expects_reply=True, timeout_seconds=600)

    (question,) = face.fetch(bob)
    replied = face.reply(bob, question, "yes, merge it")
    (answer,) = face.fetch(alice)

    assert question["expects_reply"] is True
    assert replied["ticket_id"] == asked["id"]
    assert (answer["id"], answer["from"]) == (replied["id"], bob)
    assert (answer["kind"], answer["body"]) == ("response", "yes, merge it")
    assert (answer["reply_to"], answer["correlation_id"]) == (asked["id"], asked["id"])
    assert answer["thread_id"] == asked["thread_id"]


def test_a_ticket_says_where_it_stands(face: Face, namespace: str) -> None:
    alice, bob = pair(face, namespace)
    ticket = face.send(alice, bob, expects_reply=True)["id"]
    (question,) = face.fetch(bob)
    delivered = face.get(f"/tickets/{ticket}")

    face.reply(bob, question, {"merge": True, "after": [12, 13]})
    responded = face.get(f"/tickets/{ticket}")

    assert (delivered["status"], delivered["replies"]) == ("delivered", [])
    assert responded["status"] == "responded"
    (reply,) = responded["replies"]
    assert (reply["agent_id"], reply["response"]) == (bob, {"merge": True, "after": [12, 13]})
    assert face.get(f"/messages/{ticket}/receipts")["receipts"][0]["status"] == "replied"
    assert face.get(f"/agents/{bob}/tickets/pending")["tickets"] == []


def test_a_reply_under_a_stale_lease_is_refused(face: Face, namespace: str) -> None:
    alice, bob = pair(face, namespace)
    ticket = face.send(alice, bob, expects_reply=True)["id"]
    (question,) = face.fetch(bob)
    stale: dict[str, Any] = question | {"lease": {"token": "1-000000000000"}}

    with pytest.raises(Refused) as refused:
        face.reply(bob, stale, "too late")

    assert (refused.value.status, refused.value.code) == (409, "stale_lease")
    assert face.get(f"/tickets/{ticket}")["replies"] == []
    assert face.nothing_for(alice)


def test_what_is_no_ticket_cannot_be_replied_to(face: Face, namespace: str) -> None:
    alice, bob = pair(face, namespace)
    face.send(alice, bob)
    (message,) = face.fetch(bob)

    with pytest.raises(Refused) as refused:
        face.reply(bob, message, "to what?")

    assert (refused.value.status, refused.value.code) == (404, "ticket_not_found")


def test_the_same_reply_again_is_the_first_one(face: Face, namespace: str) -> None:
    alice, bob = pair(face, namespace)
    face.send(alice, bob, expects_reply=True)
    (question,) = face.fetch(bob)

    first = face.reply(bob, question, "yes")
    again = face.reply(bob, question, "yes")

    assert (again["id"], first["created"], again["created"]) == (first["id"], True, False)
    assert len(face.fetch(alice)) == 1
    assert face.nothing_for(alice)


def test_an_ordinary_message_answers_as_well(face: Face, namespace: str) -> None:
    alice, bob = pair(face, namespace)
    ticket = face.send(alice, bob, expects_reply=True)["id"]
    face.fetch(bob)

    sent = face.send(bob, alice, "plainly", reply_to=ticket)

    found = face.get(f"/replies/{ticket}")
    assert (found["status"], [one["id"] for one in found["replies"]]) == ("responded", [sent["id"]])


def test_each_of_several_answers(face: Face, namespace: str) -> None:
    alice, bob = pair(face, namespace)
    carol = face.register(f"carol-{namespace}")
    ticket = face.send(alice, [bob, carol], expects_reply=True)["id"]

    for name in (bob, carol):
        (question,) = face.fetch(name)
        face.reply(name, question, f"from {name}")

    replies = face.get(f"/replies/{ticket}")["replies"]
    assert {one["agent_id"]: one["response"] for one in replies} == {
        bob: f"from {bob}",
        carol: f"from {carol}",
    }


# --- REST alone -----------------------------------------------------------------------------


def ask(api: Api, **fields: object) -> str:
    response = api.post("/agents/bob/send", {"from": "alice", "body": "well?"} | fields)
    assert response.status_code == 202, response.json
    api.broker.router.drain()
    return str(response.get_json()["ticket_id"])


def answer(api: Api, ticket: str, **fields: object) -> dict[str, Any]:
    body = {"ticket_id": ticket, "agent_id": "bob", "response": "so so"} | fields
    response = api.post("/replies", body)
    found: dict[str, Any] = response.get_json() | {"answered": response.status_code}
    return found


def test_a_message_to_an_agent_is_a_ticket_unless_it_says_otherwise(api: Api) -> None:
    ticket = ask(api)
    plain = api.post(
        "/agents/bob/send", {"from": "alice", "payload": {"n": 1}, "expects_reply": False}
    ).get_json()

    assert api.get(f"/messages/{ticket}").get_json()["expects_reply"] is True
    assert plain["ticket_id"] is None
    assert api.get(f"/tickets/{plain['id']}").get_json()["code"] == "ticket_not_found"


def test_a_ticket_is_shown_whole(api: Api) -> None:
    ticket = ask(api, timeout_seconds=600)
    reply = answer(api, ticket)

    shown = api.get(f"/tickets/{ticket}").get_json()

    assert (shown["ticket_id"], shown["from"], shown["to"]) == (ticket, "alice", "bob")
    assert (shown["status"], shown["late"], shown["reply_count"]) == ("responded", False, 1)
    assert shown["correlation_id"] == ticket
    assert shown["delivered_at"] is None
    assert shown["responded_at"] == reply["accepted_at"]
    assert shown["created_at"] < shown["timeout_at"]
    (given,) = shown["replies"]
    assert (given["id"], given["response"], given["message"]["kind"]) == (
        reply["id"],
        "so so",
        "response",
    )


def test_asking_can_wait_for_the_answer(api: Api, application: APIFlask) -> None:
    def ask_and_wait() -> dict[str, Any]:
        response = application.test_client().post(
            "/api/v1/agents/bob/send?wait_seconds=20", json={"from": "alice", "body": "well?"}
        )
        found: dict[str, Any] = response.get_json()
        return found

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask_and_wait)
        until(api.broker.router.drain, within=WITHIN, what="the question")
        (question,) = api.fetch()
        answer(api, question["id"], response={"merge": True})
        api.broker.router.drain()
        asked = waiting.result(WITHIN)

    assert asked["ticket_id"] == question["id"]
    assert asked["ticket"]["status"] == "responded"
    assert asked["ticket"]["replies"][0]["response"] == {"merge": True}


def test_a_wait_answers_as_soon_as_there_is_a_reply(api: Api, application: APIFlask) -> None:
    ticket = ask(api)

    def wait() -> dict[str, Any]:
        path = f"/api/v1/replies/{ticket}/wait?timeout_seconds=20"
        found: dict[str, Any] = application.test_client().get(path).get_json()
        return found

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait)
        reply = answer(api, ticket)
        api.broker.router.drain()

        assert [one["id"] for one in waiting.result(WITHIN)["replies"]] == [reply["id"]]


def test_a_wait_without_patience_answers_with_what_there_is(api: Api) -> None:
    found = api.get(f"/replies/{ask(api)}/wait", timeout_seconds=0).get_json()

    assert (found["status"], found["replies"], found["cursor"]) == ("pending", [], None)


def test_a_wait_ends_with_the_time_of_the_ticket(api: Api) -> None:
    ticket = ask(api, timeout_seconds=1)

    found = api.get(f"/replies/{ticket}/wait", timeout_seconds=20).get_json()
    late = answer(api, ticket)
    after = api.get(f"/tickets/{ticket}").get_json()

    assert found["status"] == "timeout"
    assert late["answered"] == 202
    assert (after["status"], after["late"]) == ("responded", True)


@pytest.mark.parametrize("seconds", [61, -1, "soon"])
def test_nobody_waits_for_longer_than_a_minute(api: Api, seconds: object) -> None:
    response = api.get(f"/replies/{ask(api)}/wait", timeout_seconds=seconds)

    assert response.status_code == 422
    assert response.get_json()["errors"][0]["field"] == "timeout_seconds"


@pytest.mark.parametrize(
    ("response", "shown"),
    [("text", "text"), ({"n": 1}, {"n": 1}), ([1, "a"], [1, "a"]), (0, 0), (False, False)],
)
def test_a_response_is_text_or_any_json(api: Api, response: object, shown: object) -> None:
    ticket = ask(api)

    assert answer(api, ticket, response=response)["answered"] == 202

    (reply,) = api.get(f"/replies/{ticket}").get_json()["replies"]
    assert reply["response"] == shown


@pytest.mark.parametrize("response", [None, "", "bell \a"])
def test_a_response_says_something(api: Api, response: object) -> None:
    refused = answer(api, ask(api), response=response)

    assert refused["answered"] == 422
    assert [one["field"] for one in refused["errors"]] == ["response"]


def test_replies_come_in_pages(api: Api) -> None:
    ticket = ask(api)
    ids = [answer(api, ticket, response=number)["id"] for number in range(3)]

    first = api.get(f"/replies/{ticket}", limit=2).get_json()
    rest = api.get(f"/replies/{ticket}", limit=2, cursor=first["cursor"]).get_json()

    assert [one["id"] for one in first["replies"] + rest["replies"]] == ids
    assert (first["reply_count"], rest["cursor"]) == (3, None)


def test_what_is_owed_can_be_polled_and_answered_without_an_inbox(api: Api) -> None:
    first, second = ask(api, timeout_seconds=100), ask(api, timeout_seconds=200)

    page = api.get("/agents/bob/tickets/pending", limit=1).get_json()
    rest = api.get("/agents/bob/tickets/pending", limit=1, cursor=page["cursor"]).get_json()
    answer(api, first)
    left = api.get("/agents/bob/tickets/pending").get_json()

    (one,) = page["tickets"]
    assert (one["ticket_id"], one["status"], one["message"]["body"]) == (first, "pending", "well?")
    assert [each["ticket_id"] for each in rest["tickets"]] == [second]
    assert rest["cursor"] is None
    assert [each["ticket_id"] for each in left["tickets"]] == [second]
    assert [each["id"] for each in api.fetch()] == [second]


@pytest.mark.parametrize("cursor", ["", "1", "x.msg_00000000000000000000000000", "1.msg_x"])
def test_a_cursor_that_nobody_gave_out_is_refused(api: Api, cursor: str) -> None:
    response = api.get("/agents/bob/tickets/pending", cursor=cursor)

    assert response.status_code == 422
    assert [one["field"] for one in response.get_json()["errors"]] == ["cursor"]


def test_only_who_was_asked_may_answer(api: Api) -> None:
    api.register("carol")
    ticket = ask(api)

    refused = answer(api, ticket, agent_id="carol")

    assert (refused["answered"], refused["code"]) == (404, "ticket_not_found")
    assert api.get(f"/replies/{ticket}").get_json()["replies"] == []


@pytest.mark.parametrize("path", ["/tickets/{}", "/replies/{}", "/replies/{}/wait"])
@pytest.mark.parametrize("ticket", ["msg_00000000000000000000000000", "ticket-1"])
def test_a_ticket_that_never_was_is_not_found(api: Api, path: str, ticket: str) -> None:
    response = api.get(path.format(ticket))

    assert (response.status_code, response.get_json()["code"]) == (404, "ticket_not_found")


def test_the_first_seed_s_paths_work(api: Api) -> None:
    sent = api.client.post("/agents/bob/send", json={"from": "alice", "payload": {"task": "x"}})
    ticket = sent.get_json()["ticket_id"]
    api.broker.router.drain()

    pending = api.client.get("/agents/bob/tickets/pending").get_json()["tickets"]
    replied = api.client.post(
        "/replies", json={"ticket_id": ticket, "agent_id": "bob", "response": "done"}
    )

    assert [one["ticket_id"] for one in pending] == [ticket]
    assert replied.status_code == 202
    assert api.client.get(f"/tickets/{ticket}").get_json()["status"] == "responded"
    assert api.client.get(f"/replies/{ticket}/wait").get_json()["status"] == "responded"
