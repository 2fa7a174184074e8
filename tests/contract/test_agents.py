"""Agents over REST: registering, listing, changing and forgetting them."""

import pytest

from tests.contract.conftest import Api

pytestmark = pytest.mark.contract


def test_a_new_agent_is_created_and_a_known_one_renewed(api: Api) -> None:
    profile = {
        "id": "carol",
        "name": "Carol",
        "kind": "orchestrator",
        "label": "ci",
        "tags": ["review", "review", "python"],
        "capabilities": ["merge"],
        "machine": "host",
        "cwd": "/srv",
        "parent": "alice",
        "ready": False,
        "transport": "websocket",
        "operating_mode": "headless",
        "meta": {"model": "x"},
        "instance_id": "one",
        "queue_max_depth": 5,
        "on_full": "drop_oldest",
    }

    created = api.post("/agents/register", profile)
    renewed = api.post("/agents/register", {"id": "carol", "label": None})

    agent = created.get_json()["agent"]
    assert (created.status_code, renewed.status_code) == (201, 200)
    assert agent["tags"] == ["review", "python"]
    assert (agent["status"], agent["epoch"]) == ("online", 1)
    assert (agent["queue_max_depth"], agent["on_full"]) == (5, "drop_oldest")
    assert renewed.get_json()["agent"]["label"] is None
    assert renewed.get_json()["agent"]["name"] == "Carol"


def test_a_new_instance_opens_a_new_session(api: Api) -> None:
    epochs = [
        api.post("/agents/register", {"id": "bob", "instance_id": instance}).get_json()["agent"][
            "epoch"
        ]
        for instance in ("one", "one", "two")
    ]

    assert epochs[1] == epochs[0]
    assert epochs[2] == epochs[0] + 1


def test_agents_are_found_by_what_they_are(api: Api) -> None:
    api.post("/agents/register", {"id": "c1", "tags": ["x"], "capabilities": ["y"], "label": "z"})
    api.post("/agents/register", {"id": "c2", "kind": "channel"})

    def found(**query: str) -> list[str]:
        return [one["id"] for one in api.get("/agents", **query).get_json()["agents"]]

    assert found(tag="x") == found(capability="y") == found(label="z") == ["c1"]
    assert found(kind="channel") == ["c2"]
    assert found(kind="user") == ["user"]
    assert found(status="offline") == []
    assert found(status="online", tag="x") == ["c1"]


def test_agents_are_listed_in_pages(api: Api) -> None:
    first = api.get("/agents", limit=1).get_json()
    second = api.get("/agents", limit=1, cursor=first["cursor"]).get_json()

    assert [one["id"] for one in first["agents"]] == ["alice"]
    assert [one["id"] for one in second["agents"]] == ["bob"]


def test_a_patch_changes_what_it_names(api: Api) -> None:
    response = api.call("PATCH", "/agents/bob", json={"ready": False, "cwd": "/srv/x"})

    assert response.get_json()["agent"]["ready"] is False
    assert api.get("/agents/bob").get_json()["agent"]["cwd"] == "/srv/x"


def test_a_patch_refuses_null_where_nothing_can_be_cleared(api: Api) -> None:
    response = api.call("PATCH", "/agents/bob", json={"tags": None, "id": "x", "name": None})

    assert response.status_code == 422
    assert [one["field"] for one in response.get_json()["errors"]] == ["tags", "id"]


def test_a_heartbeat_needs_no_body(api: Api) -> None:
    plain = api.post("/agents/bob/heartbeat")
    told = api.post("/agents/bob/heartbeat", {"status": "reviewing"})

    assert plain.status_code == 200
    assert told.get_json()["agent"]["reported_status"] == "reviewing"


def test_a_deleted_agent_is_gone(api: Api) -> None:
    deleted = api.call("DELETE", "/agents/bob")

    assert (deleted.status_code, deleted.data) == (204, b"")
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/heartbeat")):
        response = api.call(method, f"/agents/bob{path}")
        assert (response.status_code, response.get_json()["code"]) == (404, "unknown_agent")


def test_the_built_in_agents_stay(api: Api) -> None:
    response = api.call("DELETE", "/agents/user")

    assert (response.status_code, response.get_json()["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    "name", ["", "a b", "a\n", "a:b", "a/b", "-a", "é", "a" * 129, "a\x00", "{a}", "broadcast"]
)
def test_an_odd_id_can_not_be_registered(api: Api, name: str) -> None:
    response = api.post("/agents/register", {"id": name})

    assert response.status_code == 422
    assert [one["field"] for one in response.get_json()["errors"]] == ["id"]


@pytest.mark.parametrize("name", ["a%20b", "a%0A", "bob%0A", "a:b", "%C3%A9", "a%00", "%FF"])
def test_an_odd_id_in_a_path_is_named(api: Api, name: str) -> None:
    for path in (f"/agents/{name}", f"/agents/{name}/inbox", f"/messages/{name}"):
        response = api.get(path)

        assert response.status_code == 422
        assert [one["field"] for one in response.get_json()["errors"]] == ["agent_id"]
