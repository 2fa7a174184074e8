"""Channels (SPEC R5): posting to them through every face, and managing them."""

import pytest

from tests.contract.conftest import Api
from tests.contract.faces import Document, Face, Refused

pytestmark = pytest.mark.contract


class Cast:
    """A channel `x` of alice's, and bob, carol and dora who may join it."""

    def __init__(self, face: Face, namespace: str, **options: object) -> None:
        self.face = face
        self.alice, self.bob, self.carol, self.dora = (
            face.register(f"{name}-{namespace}") for name in ("alice", "bob", "carol", "dora")
        )
        self.x = f"x-{namespace}"
        made = {"id": self.x, "owner": self.alice} | options
        face.call("POST", "/channels", json=made)

    def join(self, *agents: str) -> None:
        for agent in agents:
            self.face.call("POST", f"/channels/{self.x}/join", json={"agent_id": agent})

    def invite(self, *agents: str) -> None:
        for agent in agents:
            self.face.call("POST", f"/channels/{self.x}/members", json={"agent_id": agent})

    def post(self, sender: str, body: str = "hi", **fields: object) -> Document:
        return self.face.send(sender, f"channel:{self.x}", body, **fields)

    def history(self, **query: object) -> list[str]:
        page = self.face.get(f"/channels/{self.x}/messages", **query)
        return [message["body"] for message in page["messages"]]


def test_what_is_posted_reaches_every_member_but_its_author(face: Face, namespace: str) -> None:
    cast = Cast(face, namespace)
    cast.join(cast.bob, cast.carol)

    sent = cast.post(cast.bob, "deploying")

    for agent in (cast.alice, cast.carol):
        (message,) = face.fetch(agent)
        assert (message["id"], message["channel"]) == (sent["id"], cast.x)
        assert message["to"] == f"channel:{cast.x}"
    assert face.nothing_for(cast.bob)
    assert face.nothing_for(cast.dora)


def test_anybody_posts_to_a_public_channel(face: Face, namespace: str) -> None:
    cast = Cast(face, namespace)

    cast.post(cast.dora, "a question")

    assert [one["body"] for one in face.fetch(cast.alice)] == ["a question"]


def test_only_members_post_to_a_private_channel(face: Face, namespace: str) -> None:
    cast = Cast(face, namespace, private=True)
    cast.invite(cast.bob)

    with pytest.raises(Refused) as refused:
        cast.post(cast.dora)

    assert (refused.value.status, refused.value.code) == (403, "not_a_member")
    assert face.nothing_for(cast.alice)
    cast.post(cast.bob, "among us")
    assert [one["body"] for one in face.fetch(cast.alice)] == ["among us"]


def test_a_channel_within_a_selector_is_as_closed(face: Face, namespace: str) -> None:
    cast = Cast(face, namespace, private=True)
    cast.invite(cast.bob)

    for selector in (
        {"any_of": [f"channel:{cast.x}"]},
        {"any_of": ["broadcast"], "not": [f"channel:{cast.x}"]},
    ):
        with pytest.raises(Refused) as refused:
            face.send(cast.dora, selector)
        assert refused.value.code == "not_a_member"


def test_who_left_gets_nothing_more(face: Face, namespace: str) -> None:
    cast = Cast(face, namespace)
    cast.join(cast.bob, cast.carol)
    face.call("POST", f"/channels/{cast.x}/leave", json={"agent_id": cast.bob})

    cast.post(cast.alice)

    face.fetch(cast.carol)
    assert face.nothing_for(cast.bob)


def test_a_deleted_agent_is_passed_over(face: Face, namespace: str) -> None:
    cast = Cast(face, namespace)
    cast.join(cast.bob, cast.carol)
    face.call("DELETE", f"/agents/{cast.bob}")
    face.register(cast.bob)

    sent = cast.post(cast.alice)

    receipts = face.get(f"/messages/{sent['id']}/receipts")["receipts"]
    assert [one["agent_id"] for one in receipts] == [cast.carol]


@pytest.mark.parametrize("target", ["channel:{x}", "channel:no-{x}"])
def test_a_channel_without_anybody_else_reaches_nobody(
    face: Face, namespace: str, target: str
) -> None:
    cast = Cast(face, namespace)

    with pytest.raises(Refused) as refused:
        face.send(cast.alice, target.format(x=cast.x))

    assert (refused.value.status, refused.value.code) == (404, "no_recipients")
    assert cast.history() == []


def test_the_history_stands_in_order_and_is_read_back_page_by_page(
    face: Face, namespace: str
) -> None:
    cast = Cast(face, namespace)
    cast.join(cast.bob)
    for number in range(3):
        cast.post((cast.alice, cast.bob)[number % 2], f"{number}")

    newest = face.get(f"/channels/{cast.x}/messages", limit=2)

    assert [one["body"] for one in newest["messages"]] == ["1", "2"]
    assert cast.history(limit=2, cursor=newest["cursor"]) == ["0"]


def test_who_joins_later_sees_what_was_said_before(face: Face, namespace: str) -> None:
    cast = Cast(face, namespace, private=True)
    cast.invite(cast.bob)
    cast.post(cast.alice, "before")

    cast.invite(cast.carol)

    assert cast.history() == ["before"]


def test_only_what_was_sent_to_a_channel_is_in_its_history(face: Face, namespace: str) -> None:
    cast = Cast(face, namespace)

    sent = face.send(cast.bob, cast.carol, channel=cast.x)

    assert cast.history() == []
    assert face.get(f"/messages/{sent['id']}")["channel"] == cast.x


def test_a_message_to_several_channels_is_in_the_history_of_each(
    face: Face, namespace: str
) -> None:
    cast = Cast(face, namespace)
    other = f"y-{namespace}"
    face.call("POST", "/channels", json={"id": other, "owner": cast.bob})

    face.send(cast.carol, [f"channel:{cast.x}", f"channel:{other}"], "to both")

    assert cast.history() == ["to both"]
    page = face.get(f"/channels/{other}/messages")
    assert [one["body"] for one in page["messages"]] == ["to both"]
    assert [len(face.fetch(agent)) for agent in (cast.alice, cast.bob)] == [1, 1]


def test_a_channel_made_anew_has_none_of_the_history_of_its_namesake(
    face: Face, namespace: str
) -> None:
    cast = Cast(face, namespace)
    cast.join(cast.bob)
    cast.post(cast.alice, "old")
    face.call("DELETE", f"/channels/{cast.x}")

    face.call("POST", "/channels", json={"id": cast.x, "owner": cast.bob})

    assert cast.history() == []


# --- managing ---------------------------------------------------------------------------------


def make(api: Api, **fields: object) -> Document:
    response = api.post("/channels", {"id": "x", "owner": "alice"} | fields)
    assert response.status_code in {200, 201}, response.json
    made: Document = response.get_json()
    return made


def members(api: Api) -> list[str]:
    page = api.get("/channels/x/members").get_json()
    return [one["agent_id"] for one in page["members"]]


def test_a_channel_is_made_once(api: Api) -> None:
    first = api.post("/channels", {"id": "x", "owner": "alice", "topic": "news"})
    second = api.post("/channels", {"id": "x", "owner": "alice", "topic": "news"})
    third = api.post("/channels", {"id": "x", "owner": "bob"})

    assert (first.status_code, second.status_code, third.status_code) == (201, 200, 409)
    assert first.get_json() == second.get_json()
    shown = first.get_json()
    assert shown.pop("created_at")
    assert shown == {
        "id": "x",
        "owner": "alice",
        "private": False,
        "topic": "news",
        "members": 1,
    }


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ({"owner": "alice"}, "id"),
        ({"id": "x"}, "owner"),
        ({"id": "dm:alice:bob", "owner": "alice"}, "id"),
        ({"id": "a b", "owner": "alice"}, "id"),
        ({"id": "x", "owner": "alice", "private": "yes"}, "private"),
        ({"id": "x", "owner": "alice", "topic": "two\nlines"}, "topic"),
        ({"id": "x", "owner": "alice", "members": []}, "members"),
    ],
)
def test_a_channel_is_described_strictly(api: Api, document: Document, field: str) -> None:
    refused = api.post("/channels", document)

    assert refused.status_code == 422
    assert [problem["field"] for problem in refused.get_json()["errors"]] == [field]


def test_an_unknown_owner_is_answered_with_near_names(api: Api) -> None:
    refused = api.post("/channels", {"id": "x", "owner": "alise"})

    assert (refused.status_code, refused.get_json()["code"]) == (404, "unknown_agent")
    assert "alice" in refused.get_json()["detail"]


def test_topic_privacy_and_owner_can_be_changed(api: Api) -> None:
    make(api, topic="news")
    api.post("/channels/x/join", {"agent_id": "bob"})

    cleared = api.call("PATCH", "/channels/x", json={"topic": None, "private": True})
    handed = api.call("PATCH", "/channels/x", json={"owner": "bob"})

    assert (cleared.get_json()["topic"], cleared.get_json()["private"]) == (None, True)
    assert (handed.get_json()["owner"], handed.get_json()["private"]) == ("bob", True)
    assert api.call("PATCH", "/channels/x", json={"owner": None}).status_code == 422


def test_channels_are_listed_by_member_and_page_by_page(api: Api) -> None:
    for name in ("a", "b", "c"):
        make(api, id=name, owner="alice" if name != "b" else "bob")

    first = api.get("/channels", limit=2).get_json()
    second = api.get("/channels", limit=2, cursor=first["cursor"]).get_json()
    of_alice = api.get("/channels", member="alice").get_json()

    assert [one["id"] for page in (first, second) for one in page["channels"]] == ["a", "b", "c"]
    assert second["cursor"] is None
    assert [one["id"] for one in of_alice["channels"]] == ["a", "c"]


def test_members_join_are_invited_leave_and_are_sent_away(api: Api) -> None:
    api.register("carol", "dora")
    make(api)

    joined = api.post("/channels/x/join", {"agent_id": "bob"})
    invited = api.post("/channels/x/members", {"agent_id": "carol"})
    assert (joined.get_json()["members"], invited.get_json()["members"]) == (2, 3)
    assert sorted(members(api)) == ["alice", "bob", "carol"]

    assert api.post("/channels/x/leave", {"agent_id": "bob"}).status_code == 204
    assert api.call("DELETE", "/channels/x/members/carol").status_code == 204
    assert api.call("DELETE", "/channels/x/members/dora").status_code == 204
    assert members(api) == ["alice"]
    assert api.post("/channels/x/leave", {"agent_id": "alice"}).status_code == 409


def test_members_are_listed_page_by_page(api: Api) -> None:
    make(api)
    api.post("/channels/x/join", {"agent_id": "bob"})

    first = api.get("/channels/x/members", limit=1).get_json()
    second = api.get("/channels/x/members", limit=1, cursor=first["cursor"]).get_json()

    names = [one["agent_id"] for page in (first, second) for one in page["members"]]
    assert names == ["alice", "bob"]
    assert second["cursor"] is None


def test_a_private_channel_is_not_joined_without_an_invitation(api: Api) -> None:
    make(api, private=True)

    refused = api.post("/channels/x/join", {"agent_id": "bob"})

    assert (refused.status_code, refused.get_json()["code"]) == (403, "not_a_member")


@pytest.mark.parametrize(
    ("method", "path", "document"),
    [
        ("GET", "/channels/x", None),
        ("PATCH", "/channels/x", {}),
        ("DELETE", "/channels/x", None),
        ("POST", "/channels/x/join", {"agent_id": "bob"}),
        ("POST", "/channels/x/leave", {"agent_id": "bob"}),
        ("GET", "/channels/x/members", None),
        ("POST", "/channels/x/members", {"agent_id": "bob"}),
        ("DELETE", "/channels/x/members/bob", None),
        ("GET", "/channels/x/messages", None),
    ],
)
def test_what_is_no_channel_is_not_found(
    api: Api, method: str, path: str, document: Document | None
) -> None:
    refused = api.call(method, path, **({} if document is None else {"json": document}))

    assert (refused.status_code, refused.get_json()["code"]) == (404, "channel_not_found")
