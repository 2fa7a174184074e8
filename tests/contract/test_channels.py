"""Channels (SPEC R5): posting to them through every face, and managing them."""

import pytest

from tests.contract.conftest import Api
from tests.contract.faces import Document

pytestmark = pytest.mark.contract


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
