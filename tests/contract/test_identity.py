"""Who asks: tokens of every kind, keys and invitations as admins handle them, newcomers."""

import pytest
from werkzeug.test import TestResponse

from tests.contract.conftest import ADMIN_TOKEN, TOKEN, Guarded, MakeGuarded

pytestmark = pytest.mark.contract


@pytest.fixture
def guarded(make_guarded: MakeGuarded) -> Guarded:
    return make_guarded()


# --- coming in ------------------------------------------------------------------------------


def test_without_a_token_it_says_how_to_come_in(guarded: Guarded) -> None:
    response = guarded.get("/agents", token=None)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="waystation"'
    assert response.get_json()["code"] == "unauthenticated"


def test_every_token_that_does_not_hold_is_answered_alike(guarded: Guarded) -> None:
    revoked, expired = guarded.issue("agent:bob"), guarded.issue("agent:bob")
    guarded.call("DELETE", f"/keys/{revoked['id']}")
    guarded.broker.redis.command(
        "HSET", guarded.broker.keys.api_key(expired["id"]), "expires_at", 1
    )
    other_secret = revoked["token"][:31] + expired["token"][31:]

    answers = [
        guarded.get("/agents", token)
        for token in (
            *(revoked["token"], expired["token"], other_secret, "", "wsk_", "nonsense"),
            *("a.b.c", ADMIN_TOKEN[:-1], ADMIN_TOKEN + "x", "ä", "x" * 8000),
        )
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.data for answer in answers}) == 1
    assert {answer.headers["WWW-Authenticate"] for answer in answers} == {
        'Bearer realm="waystation", error="invalid_token"'
    }


@pytest.mark.parametrize("header", ["Basic {}", "{}", "Bearer", "Bearer: {}", "Token {}"])
def test_a_token_comes_as_a_bearers_and_in_no_other_way(guarded: Guarded, header: str) -> None:
    headers = {"Authorization": header.format(ADMIN_TOKEN)}

    assert guarded.api.call("GET", "/agents", headers=headers).status_code == 401
    for name in ("access_token", "token", "api_key"):
        in_url = guarded.api.call("GET", f"/agents?{name}={ADMIN_TOKEN}")
        assert in_url.status_code == 401
        assert ADMIN_TOKEN not in in_url.get_data(as_text=True)


def test_the_scheme_is_known_in_any_case(guarded: Guarded) -> None:
    headers = {"Authorization": f"bearer {ADMIN_TOKEN}"}

    assert guarded.api.call("GET", "/me", headers=headers).status_code == 200


def test_probes_and_the_document_of_the_interface_need_no_token(guarded: Guarded) -> None:
    assert guarded.api.client.get("/health").status_code == 200
    assert guarded.get("/openapi.json", token=None).status_code == 200


def test_the_document_of_the_interface_says_what_needs_a_token(
    make_guarded: MakeGuarded,
) -> None:
    guarded, unguarded = make_guarded(), make_guarded(auth="off")
    document = guarded.get("/openapi.json").get_json()

    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert document["paths"]["/api/v1/keys"]["post"]["security"] == [{"token": []}]
    assert "security" not in document["paths"]["/health"]["get"]
    assert "securitySchemes" not in unguarded.get("/openapi.json").get_json()["components"]


def test_where_no_token_is_asked_for_a_token_is_not_looked_at(make_guarded: MakeGuarded) -> None:
    unguarded = make_guarded(auth="off")

    for token in (None, "nonsense"):
        shown = unguarded.get("/me", token)
        assert (shown.status_code, shown.get_json()["name"]) == (200, "anyone")


def test_everybody_can_see_what_it_is(guarded: Guarded) -> None:
    issued = guarded.issue("agent:bob", "operator", expires_in_seconds=3600)

    assert guarded.get("/me").get_json() == {
        "name": "admin-token",
        "scopes": ["admin"],
        "is_operator": True,
        "is_admin": True,
        "expires_at": None,
    }
    assert guarded.get("/me", issued["token"]).get_json() == {
        "name": issued["id"],
        "scopes": ["agent:bob", "operator"],
        "is_operator": True,
        "is_admin": False,
        "expires_at": issued["expires_at"],
    }


# --- keys -----------------------------------------------------------------------------------


def test_the_token_of_a_key_is_shown_once(guarded: Guarded) -> None:
    created = guarded.post("/keys", {"name": "bob", "scopes": ["agent:bob"]})
    issued = created.get_json()

    assert TOKEN.fullmatch(issued["token"])
    assert created.headers["Cache-Control"] == "no-store"
    for path in ("/keys", f"/keys/{issued['id']}"):
        shown = guarded.get(path).get_data(as_text=True)
        assert issued["id"] in shown
        assert not TOKEN.search(shown)
        assert "digest" not in shown


def test_a_key_lets_its_agent_work(guarded: Guarded) -> None:
    token = guarded.issue("agent:bob")["token"]

    registered = guarded.post("/agents/register", {"id": "bob"}, token)

    assert registered.status_code == 201
    assert "api_key" not in registered.get_json()
    assert guarded.get("/agents/bob/inbox", token).status_code == 200
    assert guarded.get("/agents/alice/inbox", token).status_code == 403


def test_a_key_with_two_ends_or_none_that_can_be_is_refused(guarded: Guarded) -> None:
    for fields, field in (
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "2090-01-01T00:00:00Z", "expires_in_seconds": 5}, "expires_at"),
        ({"scopes": ["agent:system"]}, "scopes.0"),
        ({"scopes": ["everything"]}, "scopes.0"),
        ({"scopes": []}, "scopes"),
        ({"name": None}, "name"),
    ):
        response = guarded.post("/keys", {"name": "a key", "scopes": ["operator"]} | fields)

        assert response.status_code == 422
        assert [problem["field"] for problem in response.get_json()["errors"]] == [field]


def test_a_revoked_key_is_refused_within_a_second(guarded: Guarded) -> None:
    issued = guarded.issue("agent:bob")
    assert guarded.get("/me", issued["token"]).status_code == 200

    revoked = guarded.call("DELETE", f"/keys/{issued['id']}")
    guarded.forget()

    assert revoked.get_json()["status"] == "revoked"
    assert guarded.get("/me", issued["token"]).status_code == 401


def test_a_rotated_key_has_another_token_and_the_old_one_as_long_as_was_said(
    guarded: Guarded,
) -> None:
    issued = guarded.issue("agent:bob")

    first = guarded.post(f"/keys/{issued['id']}/rotate", {"overlap_seconds": 3600}).get_json()

    assert first["id"] == issued["id"]
    for token in (issued["token"], first["token"]):
        assert guarded.get("/me", token).status_code == 200
    second = guarded.post(f"/keys/{issued['id']}/rotate").get_json()
    guarded.forget()
    statuses = [
        guarded.get("/me", token).status_code
        for token in (issued["token"], first["token"], second["token"])
    ]
    assert statuses == [401, 401, 200]


def test_keys_that_there_are_not_are_said_to_be_missing(guarded: Guarded) -> None:
    for path in ("/keys/key_0000000000000000000000000A", "/keys/nonsense"):
        for method, action in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
            response = guarded.call(method, f"{path}{action}")
            assert (response.status_code, response.get_json()["code"]) == (404, "key_not_found")


def test_keys_come_in_pages(guarded: Guarded) -> None:
    made = [guarded.issue("operator")["id"] for _ in range(3)]

    first = guarded.get("/keys?limit=2").get_json()
    second = guarded.get(f"/keys?limit=2&cursor={first['cursor']}").get_json()

    assert [key["id"] for key in first["keys"] + second["keys"]] == made[::-1]
    assert second["cursor"] is None


# --- newcomers ------------------------------------------------------------------------------


def test_a_closed_station_tells_newcomers_to_ask_an_admin(guarded: Guarded) -> None:
    nobody = guarded.post("/agents/register", {"id": "carol"}, None)
    another = guarded.post("/agents/register", {"id": "carol"}, guarded.issue("agent:bob")["token"])

    assert (nobody.status_code, another.status_code) == (401, 403)
    assert "an admin makes one" in nobody.get_json()["detail"]


def test_an_open_station_gives_a_newcomer_its_key(make_guarded: MakeGuarded) -> None:
    opened = make_guarded(registration="open")

    registered = opened.post("/agents/register", {"id": "carol", "label": "x"}, None)
    token = registered.get_json()["api_key"]
    again = opened.post("/agents/register", {"id": "carol"}, None)
    renewed = opened.post("/agents/register", {"id": "carol"}, token)

    assert registered.status_code == 201
    assert registered.headers["Cache-Control"] == "no-store"
    assert opened.get("/me", token).get_json()["scopes"] == ["agent:carol"]
    assert (again.status_code, again.get_json()["code"]) == (409, "agent_taken")
    assert renewed.status_code == 200
    assert "api_key" not in renewed.get_json()


def test_even_at_an_open_station_a_token_that_does_not_hold_is_refused(
    make_guarded: MakeGuarded,
) -> None:
    opened = make_guarded(registration="open")

    assert opened.post("/agents/register", {"id": "carol"}, "nonsense").status_code == 401


def test_an_invitation_lets_those_in_whom_it_is_for(make_guarded: MakeGuarded) -> None:
    station = make_guarded(registration="invitation")
    made = station.post("/invitations", {"pattern": "build-*", "uses": 1})
    invitation = made.get_json()

    def register(agent: str) -> TestResponse:
        document = {"id": agent, "invitation": invitation["token"]}
        response: TestResponse = station.post("/agents/register", document, None)
        return response

    assert made.status_code == 201
    assert register("deploy-1").status_code == 403
    assert TOKEN.fullmatch(register("build-1").get_json()["api_key"])
    assert register("build-2").status_code == 403
    shown = station.get(f"/invitations/{invitation['id']}").get_json()
    assert (shown["used"], shown["status"]) == (1, "used")
    listed = station.get("/invitations").get_data(as_text=True)
    assert invitation["id"] in listed
    assert invitation["token"] not in listed


def test_an_invitation_is_for_one_agent_or_a_pattern_and_can_be_withdrawn(
    make_guarded: MakeGuarded,
) -> None:
    station = make_guarded(registration="invitation")

    both = station.post("/invitations", {"agent_id": "a", "pattern": "a*"})
    invitation = station.post("/invitations", {"agent_id": "carol"}).get_json()
    withdrawn = station.call("DELETE", f"/invitations/{invitation['id']}")
    late = station.post(
        "/agents/register", {"id": "carol", "invitation": invitation["token"]}, None
    )

    assert both.status_code == 422
    assert (invitation["pattern"], withdrawn.get_json()["status"]) == ("carol", "revoked")
    assert late.status_code == 403


# --- what is left of a refusal --------------------------------------------------------------


def test_a_newcomer_that_is_refused_leaves_no_key(make_guarded: MakeGuarded) -> None:
    station = make_guarded(registration="open")

    assert station.post("/agents/register", {"id": "carol", "tags": 3}, None).status_code == 422
    assert station.post("/agents/register", {"id": "broadcast"}, None).status_code == 422
    assert station.post("/agents/register", {"id": "user"}, None).status_code == 409

    assert station.get("/keys").get_json()["keys"] == []
