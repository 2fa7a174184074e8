"""Nobody speaks for somebody else, and what is another's can't be touched (SPEC Z2)."""

import threading
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.access import Caller
from broker.kernel.errors import BrokerError
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.dead_letters import DeadLetterFilter
from broker.messaging.receipts import Listing
from tests.contract.access_scene import Ask, Scene, issue
from tests.waiting import until

pytestmark = pytest.mark.contract

SEND = "POST /api/v1/messages"
BATCH = "POST /api/v1/messages/batch"
WITHIN = 15


def code(response: TestResponse) -> tuple[int, str]:
    return response.status_code, response.get_json()["code"]


def a_message(scene: Scene, sender: str, **fields: Any) -> dict[str, Any]:
    return {"from": sender, "to": scene.partner, "body": "hi"} | fields


def senders(scene: Scene) -> set[AgentId]:
    """Who sent the messages of this scene that are stored."""
    found, _ = scene.broker.archive.find(Listing(), limit=1000)
    return {one.message.sender for one in found if scene.partner in one.message.to}


def test_of_a_batch_what_is_from_others_is_rejected_and_the_rest_is_sent(scene: Scene) -> None:
    own, others = a_message(scene, scene.agent), a_message(scene, scene.stranger)

    response = scene.call(Caller.ITSELF, BATCH, Ask(body={"messages": [own, others, {}, own]}))

    results = response.get_json()["results"]
    assert [one["status"] for one in results] == ["accepted", "rejected", "rejected", "accepted"]
    assert results[1]["problem"]["code"] == "forbidden"
    assert results[2]["problem"]["code"] == "invalid_fields"
    assert senders(scene) == {scene.agent}


@pytest.mark.parametrize("caller", [Caller.ITSELF, Caller.OPERATOR, Caller.ADMIN])
@pytest.mark.parametrize("path", ["/messages", "/broadcast", "/dms", "/recurring"])
def test_nobody_sends_as_the_station(scene: Scene, caller: Caller, path: str) -> None:
    schedule = {"schedule": "interval:60"} if path == "/recurring" else {}
    ask = Ask(body=a_message(scene, "system", **schedule))

    assert code(scene.call(caller, f"POST /api/v1{path}", ask)) == (403, "forbidden")


@pytest.mark.parametrize("caller", [Caller.OPERATOR, Caller.ADMIN])
def test_operators_are_the_user_and_agents_are_not(scene: Scene, caller: Caller) -> None:
    ask = Ask(body=a_message(scene, "user"))
    inbox = Ask(path={"agent_id": "user"}, query={"peek": "true"})

    assert scene.call(caller, SEND, ask).status_code == 202
    assert scene.call(caller, "GET /api/v1/agents/{agent_id}/inbox", inbox).status_code == 200
    assert code(scene.call(Caller.ITSELF, SEND, ask)) == (403, "forbidden")
    refused = scene.call(Caller.ITSELF, "GET /api/v1/agents/{agent_id}/inbox", inbox)
    assert code(refused) == (403, "forbidden")


@pytest.mark.parametrize(
    "name", ["AGENT", "{agent} ", " {agent}", "{agent}\u200b", "\uff41gent", "{agent}.", "*"]
)
def test_a_name_that_looks_alike_is_not_the_same(scene: Scene, name: str) -> None:
    looks_alike = name.replace("{agent}", scene.agent)

    response = scene.call(Caller.ITSELF, SEND, Ask(body=a_message(scene, looks_alike)))

    assert response.status_code in {403, 422}
    assert senders(scene) == set()


def test_two_senders_in_one_document_are_none(scene: Scene, guarded_app: Any) -> None:
    token = issue(scene.broker, f"agent:{scene.agent}").token
    text = f'{{"from":"{scene.stranger}","from":"{scene.agent}","to":"user","body":"hi"}}'

    response = guarded_app.test_client().post(
        "/api/v1/messages",
        data=text,
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )

    assert code(response) == (400, "malformed")


def test_a_key_for_several_agents_speaks_for_each_of_them(scene: Scene) -> None:
    both = issue(scene.broker, f"agent:{scene.agent}", f"agent:{scene.stranger}").token

    for sender in (scene.agent, scene.stranger):
        assert scene.call_with(both, SEND, Ask(body=a_message(scene, sender))).status_code == 202
    refused = scene.call_with(both, SEND, Ask(body=a_message(scene, scene.partner)))

    assert code(refused) == (403, "forbidden")
    assert senders(scene) == {scene.agent, scene.stranger}


def test_a_key_of_an_integration_is_no_agent_and_sees_nothing(scene: Scene) -> None:
    scene.sent()
    token = issue(scene.broker, "integration:builds").token

    listed = scene.call_with(token, "GET /api/v1/messages", Ask())

    assert listed.get_json() == {"messages": [], "cursor": None}
    for call, ask in (
        (SEND, Ask(body=a_message(scene, "integration:builds"))),
        (SEND, Ask(body=a_message(scene, "builds"))),
        ("GET /api/v1/stats", Ask()),
    ):
        assert scene.call_with(token, call, ask).status_code in {403, 422}


@pytest.mark.parametrize("field", ["reply_to", "supersedes"])
def test_what_one_may_not_see_can_t_be_referred_to(scene: Scene, field: str) -> None:
    theirs = scene.sent()
    never_was = scene.of_what_never_was(Ask(path={"id": theirs})).path["id"]

    def refused(name: str) -> TestResponse:
        body = a_message(scene, scene.stranger, **{field: name})
        return scene.call(Caller.ANOTHER, SEND, Ask(body=body))

    assert code(refused(theirs)) == (422, "invalid_fields")
    assert refused(theirs).text == refused(never_was).text
    assert scene.stage.state(theirs, scene.partner) == "queued"


def test_who_joins_a_conversation_of_others_reads_nothing_of_it(scene: Scene) -> None:
    theirs = scene.sent()

    joined = scene.call(
        Caller.ANOTHER, SEND, Ask(body=a_message(scene, scene.stranger, thread_id=theirs))
    ).get_json()

    shown = scene.call(
        Caller.ANOTHER, "GET /api/v1/threads/{thread_id}", Ask(path={"thread_id": theirs})
    )
    assert [one["id"] for one in shown.get_json()["messages"]] == [joined["id"]]


def test_the_recipient_reads_a_message_and_its_receipts_but_does_not_cancel_it(
    scene: Scene,
) -> None:
    received = Ask(path={"message_id": scene.received()})

    assert (
        scene.call(Caller.ITSELF, "GET /api/v1/messages/{message_id}", received).status_code < 400
    )
    receipts = scene.call(Caller.ITSELF, "GET /api/v1/messages/{message_id}/receipts", received)
    assert [one["agent_id"] for one in receipts.get_json()["receipts"]] == [scene.agent]
    cancelled = scene.call(Caller.ITSELF, "DELETE /api/v1/messages/{message_id}", received)

    assert code(cancelled) == (403, "forbidden")
    assert scene.stage.state(MessageId(received.path["message_id"]), scene.agent) == "queued"


@pytest.mark.parametrize("action", ["retry", "resolve"])
def test_the_sender_sees_a_dead_letter_but_leaves_it_to_its_recipient(
    scene: Scene, action: str
) -> None:
    letter = {"dead_letter_id": scene.dead_letter()}
    partner = issue(scene.broker, f"agent:{scene.partner}").token
    path = "/api/v1/dead-letters/{dead_letter_id}"

    assert scene.call_with(partner, f"GET {path}", Ask(path=letter)).status_code == 200
    body = {"resolution": "gone"} if action == "resolve" else {}
    refused = scene.call_with(partner, f"POST {path}/{action}", Ask(path=letter, body=body))

    assert code(refused) == (403, "forbidden")
    (found,), _ = scene.broker.dead_letters.find(DeadLetterFilter(agent_id=scene.agent), limit=1)
    assert found.status == "open"


def test_idempotency_keys_of_others_are_others(scene: Scene) -> None:
    own = a_message(scene, scene.agent, idempotency_key="k")
    first = scene.call(Caller.ITSELF, SEND, Ask(body=own)).get_json()

    second = scene.call(Caller.ANOTHER, SEND, Ask(body=own | {"from": scene.stranger})).get_json()

    assert second["created"]
    assert second["id"] != first["id"]


def test_who_waits_with_a_revoked_key_is_handed_nothing(scene: Scene) -> None:
    issued = issue(scene.broker, f"agent:{scene.agent}")
    inbox = Ask(path={"agent_id": scene.agent}, query={"wait_seconds": "30"})
    answers: list[TestResponse] = []

    def wait() -> None:
        call = "GET /api/v1/agents/{agent_id}/inbox"
        answers.append(scene.call_with(issued.token, call, inbox))

    waiting = threading.Thread(target=wait)
    waiting.start()
    arrivals = scene.broker.arrivals
    until(lambda: scene.agent in arrivals._waiting, within=WITHIN, what="the long poll")
    scene.broker.identity.keys.revoke(issued.key.id)
    until(lambda: not opens(scene, issued.token), within=WITHIN, what="the key to be forgotten")
    sent = scene.received()
    waiting.join(WITHIN)

    assert [code(answer) for answer in answers] == [(401, "unauthenticated")]
    assert scene.stage.state(sent, scene.agent) == "queued"


def opens(scene: Scene, token: str) -> bool:
    """Whether a token still proves anything."""
    try:
        scene.broker.identity.identities.of(token)
    except BrokerError:
        return False
    return True
