"""Direct messages between two agents (SPEC R4), through every face."""

import pytest

from tests.contract.conftest import Api
from tests.contract.faces import Face, Refused

pytestmark = pytest.mark.contract


def test_a_direct_message_reaches_the_other_in_the_conversation_of_the_two(
    face: Face, namespace: str
) -> None:
    zoe, bob = face.register(f"zoe-{namespace}"), face.register(f"bob-{namespace}")

    sent = face.send_direct(zoe, bob, "do you have a minute?")
    (message,) = face.fetch(bob)

    assert (message["id"], message["channel"]) == (sent["id"], f"dm:{bob}:{zoe}")


def test_both_parties_see_the_conversation_and_what_is_unread(face: Face, namespace: str) -> None:
    alice, bob = face.register(f"alice-{namespace}"), face.register(f"bob-{namespace}")
    face.send_direct(alice, bob, "one")
    last = face.send_direct(alice, bob, "two")

    (of_alice,) = face.get(f"/agents/{alice}/dms")["conversations"]
    (of_bob,) = face.get(f"/agents/{bob}/dms")["conversations"]

    assert of_bob == {
        "channel": f"dm:{alice}:{bob}",
        "with": alice,
        "unread": 2,
        "unread_at_least": False,
        "last_message_at": last["accepted_at"],
        "last_message_id": last["id"],
    }
    assert (of_alice["with"], of_alice["unread"]) == (bob, 0)


def test_what_was_acknowledged_is_no_longer_unread(face: Face, namespace: str) -> None:
    alice, bob = face.register(f"alice-{namespace}"), face.register(f"bob-{namespace}")
    face.send_direct(alice, bob, "one")
    face.send_direct(alice, bob, "two")
    first, _ = face.fetch(bob, 2)

    face.ack(bob, first)

    assert face.get(f"/agents/{bob}/dms")["conversations"][0]["unread"] == 1
    history = face.get(f"/agents/{bob}/dms/{alice}")
    assert [(one["body"], one["unread"]) for one in history["messages"]] == [
        ("one", False),
        ("two", True),
    ]


def test_a_reply_to_a_direct_question_stays_in_the_conversation(face: Face, namespace: str) -> None:
    alice, bob = face.register(f"alice-{namespace}"), face.register(f"bob-{namespace}")
    channel = f"dm:{alice}:{bob}"
    face.send(alice, bob, "ready?", channel=channel, expects_reply=True)
    (question,) = face.fetch(bob)

    face.reply(bob, question, "yes")

    (reply,) = face.fetch(alice)
    assert reply["channel"] == channel
    history = face.get(f"/agents/{bob}/dms/{alice}")["messages"]
    assert [(one["from"], one["unread"]) for one in history] == [(alice, False), (bob, True)]


def test_the_history_is_read_back_page_by_page(face: Face, namespace: str) -> None:
    alice, bob = face.register(f"alice-{namespace}"), face.register(f"bob-{namespace}")
    for number in range(3):
        face.send_direct(*((alice, bob) if number % 2 else (bob, alice)), f"{number}")

    newest = face.get(f"/agents/{alice}/dms/{bob}", limit=2)
    before = face.get(f"/agents/{alice}/dms/{bob}", limit=2, cursor=newest["cursor"])

    assert [one["body"] for one in newest["messages"]] == ["1", "2"]
    assert [one["body"] for one in before["messages"]] == ["0"]
    assert before["cursor"] is None


@pytest.mark.parametrize("channel", ["dm:{alice}:{carol}", "dm:{carol}:{bob}", "dm:x", "dm:"])
def test_nobody_else_can_be_written_into_a_conversation(
    face: Face, namespace: str, channel: str
) -> None:
    names = {name: face.register(f"{name}-{namespace}") for name in ("alice", "bob", "carol")}

    with pytest.raises(Refused) as refused:
        face.send(names["alice"], names["bob"], channel=channel.format(**names))

    assert (refused.value.status, refused.value.code) == (422, "invalid_fields")


def test_two_that_never_wrote_each_other_have_no_history(api: Api) -> None:
    assert api.get("/agents/alice/dms").get_json() == {"conversations": [], "cursor": None}
    assert api.get("/agents/alice/dms/bob").get_json() == {"messages": [], "cursor": None}


def test_conversations_are_listed_page_by_page(api: Api) -> None:
    for other in ("carol", "dave", "erin"):
        api.register(other)
        api.post("/dms", {"from": "alice", "to": other, "body": "hi"})

    first = api.get("/agents/alice/dms", limit=2).get_json()
    second = api.get("/agents/alice/dms", limit=2, cursor=first["cursor"]).get_json()

    names = [one["with"] for page in (first, second) for one in page["conversations"]]
    assert names == ["erin", "dave", "carol"]
    assert second["cursor"] is None


def test_a_repeated_direct_message_is_sent_once(api: Api) -> None:
    message = {"from": "alice", "to": "bob", "body": "hi"}
    header = {"Idempotency-Key": "once"}

    first = api.post("/dms", message, headers=header)
    second = api.post("/dms", message, headers=header)

    assert (first.status_code, second.status_code) == (202, 200)
    assert first.get_json()["id"] == second.get_json()["id"]
    assert len(api.get("/agents/bob/dms/alice").get_json()["messages"]) == 1


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"to": "alice"}, "to"),
        ({"to": ["bob"]}, "to"),
        ({"to": "tag:x"}, "to"),
        ({"channel": "dm:alice:bob"}, "channel"),
        ({"claimable": True}, "claimable"),
        ({"body": None}, "body"),
    ],
)
def test_a_direct_message_is_to_one_other_agent(
    api: Api, fields: dict[str, object], field: str
) -> None:
    refused = api.post("/dms", {"from": "alice", "to": "bob", "body": "hi"} | fields)

    assert refused.status_code == 422
    assert [problem["field"] for problem in refused.get_json()["errors"]] == [field]


@pytest.mark.parametrize("cursor", ["x", "12:", ":bob", "12:-", "1" * 16 + ":bob", "12:bob\n"])
def test_a_cursor_is_one_that_a_page_gave(api: Api, cursor: str) -> None:
    refused = api.get("/agents/alice/dms", cursor=cursor)

    assert refused.status_code == 422
