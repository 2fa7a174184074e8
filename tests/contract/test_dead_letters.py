"""Dead letters over REST: listing, retrying and resolving them."""

import pytest

from tests.contract.conftest import Api

pytestmark = pytest.mark.contract

UNKNOWN = "dlq_" + "0" * 26


def bury(api: Api, **fields: object) -> str:
    """Let a message die; its dead letter's id."""
    api.send(**fields)
    identifier, lease = api.fetch_one()
    api.post(f"/messages/{identifier}/nack", lease | {"permanent": True, "reason": "broken"})
    letters = api.get("/dead-letters", limit=1).get_json()["dead_letters"]
    assert letters[0]["message_id"] == identifier
    return str(letters[0]["id"])


def test_a_dead_letter_tells_what_happened(api: Api) -> None:
    letter = bury(api, channel="ops", payload={"n": 1})

    shown = api.get(f"/dead-letters/{letter}").get_json()

    assert (shown["agent_id"], shown["attempts"], shown["status"]) == ("bob", 1, "open")
    assert shown["last_error"] == "broken"
    assert shown["history"][0]["reason"] == "broken"
    assert shown["message"]["payload"] == {"n": 1}
    assert shown["failed_at"].endswith("Z")


def test_dead_letters_are_filtered_and_paged(api: Api) -> None:
    letters = [bury(api, channel="ops"), bury(api, channel="ops"), bury(api, channel="dev")]

    first = api.get("/dead-letters", channel="ops", limit=1).get_json()
    rest = api.get("/dead-letters", channel="ops", cursor=first["cursor"]).get_json()

    assert [one["id"] for one in first["dead_letters"]] == [letters[1]]
    assert [one["id"] for one in rest["dead_letters"]] == [letters[0]]
    assert rest["cursor"] is None
    assert api.get("/dead-letters", agent="alice").get_json()["dead_letters"] == []


def test_a_retried_dead_letter_is_delivered_again(api: Api) -> None:
    letter = bury(api)

    first = api.post(f"/dead-letters/{letter}/retry")
    second = api.post(f"/dead-letters/{letter}/retry")

    assert (first.status_code, first.get_json()["status"]) == (200, "retried")
    assert [one["id"] for one in api.fetch()] == [first.get_json()["message_id"]]
    assert (second.status_code, second.get_json()["code"]) == (409, "dead_letter_closed")


def test_a_resolved_dead_letter_is_closed(api: Api) -> None:
    letter = bury(api)

    response = api.post(f"/dead-letters/{letter}/resolve", {"resolution": "done by hand"})

    assert response.get_json() == {"id": letter, "status": "resolved"}
    assert api.get(f"/dead-letters/{letter}").get_json()["resolution"] == "done by hand"


def test_matching_dead_letters_are_dealt_with_at_once(api: Api) -> None:
    ops, dev = bury(api, channel="ops"), bury(api, channel="dev")

    resolved = api.post("/dead-letters/resolve", {"channel": "ops", "resolution": "moot"})
    retried = api.post("/dead-letters/retry")

    assert resolved.get_json() == {"results": [{"id": ops, "status": "resolved"}]}
    assert retried.get_json() == {"results": [{"id": dev, "status": "retried"}]}


@pytest.mark.parametrize("letter", [UNKNOWN, "dlq_x", "msg_" + "0" * 26])
def test_an_unknown_dead_letter_is_not_found(api: Api, letter: str) -> None:
    responses = [
        api.get(f"/dead-letters/{letter}"),
        api.post(f"/dead-letters/{letter}/retry"),
        api.post(f"/dead-letters/{letter}/resolve", {"resolution": "x"}),
    ]

    assert {(one.status_code, one.get_json()["code"]) for one in responses} == {
        (404, "dead_letter_not_found")
    }
