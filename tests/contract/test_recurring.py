"""Recurring messages over REST: creating, watching, pausing, resuming and cancelling them."""

import pytest

from broker.kernel.clock import rfc3339, system_clock
from broker.kernel.ids import RecurringId
from tests.contract.conftest import Api
from tests.waiting import until

pytestmark = pytest.mark.contract

UNKNOWN = "rec_" + "0" * 26
REQUEST = {"from": "alice", "to": "bob", "body": "hi", "schedule": "interval:60"}


def create(api: Api, **fields: object) -> str:
    response = api.post("/recurring", REQUEST | fields)
    assert response.status_code == 201, response.json
    return str(response.get_json()["id"])


def test_a_recurring_message_is_created_and_shown(api: Api) -> None:
    fields = {
        "schedule": "0 9 * * mon-fri",
        "timezone": "Europe/Berlin",
        "policy": "catch_up",
        "subject": "{{date}}",
        "payload": {"n": 12345678901234567890},
        "priority": "high",
        "expires_at": "2099-01-01T00:00:00Z",
    }

    made = api.post("/recurring", REQUEST | fields)

    assert made.status_code == 201
    view = made.get_json()
    assert view["id"].startswith("rec_")
    assert view["next_at"].endswith("Z")
    assert view["status"] == "active"
    assert {name: view[name] for name in ("from", "to", "body", *fields)} == {
        "from": "alice",
        "to": "bob",
        "body": "hi",
        **fields,
        "expires_at": "2099-01-01T00:00:00.000Z",
    }
    assert api.get(f"/recurring/{view['id']}").get_json() == view


def test_a_recurring_message_may_be_for_any_targets(api: Api) -> None:
    api.post("/agents/register", {"id": "bob", "tags": ["x"]})
    to = [{"any_of": ["tag:x"], "not": ["alice"]}, "user"]
    identifier = create(api, to=to, schedule="interval:1")

    until(api.broker.recurring.fire_overdue, within=5, what="its first time has come")

    api.broker.router.drain()
    assert api.get(f"/recurring/{identifier}").get_json()["to"] == to
    assert [one["to"] for one in api.fetch("bob")] == [to]


def test_what_it_sends_reaches_the_inbox_and_its_history(api: Api) -> None:
    identifier = create(api, schedule="interval:1", body="number {{count}}")

    until(
        api.broker.recurring.fire_overdue,
        within=5,
        what="its first time has come",
    )

    api.broker.router.drain()
    (message,) = api.fetch()
    assert (message["body"], message["correlation_id"]) == ("number 1", identifier)
    history = api.get(f"/recurring/{identifier}/history").get_json()
    (turn,) = history["history"]
    assert (turn["outcome"], turn["message_id"], turn["count"]) == ("sent", message["id"], 1)
    assert history["cursor"] is None
    earlier = api.get(f"/recurring/{identifier}/history", cursor=turn["scheduled_at"])
    assert earlier.get_json()["history"] == []


def test_it_is_paused_resumed_and_cancelled(api: Api) -> None:
    identifier = create(api)

    paused = api.post(f"/recurring/{identifier}/pause").get_json()
    resumed = api.post(f"/recurring/{identifier}/resume", {}).get_json()
    cancelled = api.call("DELETE", f"/recurring/{identifier}").get_json()
    again = api.post(f"/recurring/{identifier}/resume")

    assert (paused["status"], paused["next_at"]) == ("paused", None)
    assert resumed["status"] == "active"
    assert resumed["next_at"] is not None
    assert cancelled["status"] == "cancelled"
    assert cancelled["ended_at"] is not None
    assert (again.status_code, again.get_json()["code"]) == (409, "recurring_ended")


def test_recurring_messages_are_filtered_and_paged(api: Api) -> None:
    api.register("carol")
    ids = [create(api), create(api), create(api, **{"from": "carol"})]
    api.post(f"/recurring/{ids[0]}/pause")

    def listed(**query: object) -> list[str]:
        document = api.get("/recurring", **query).get_json()
        return [one["id"] for one in document["recurring"]]

    assert sorted(listed()) == sorted(ids)
    assert sorted(listed(**{"from": "alice"})) == sorted(ids[:2])
    assert listed(status="paused") == ids[:1]
    first = api.get("/recurring", limit=2).get_json()
    assert len(listed(limit=2, cursor=first["cursor"])) == 1


def test_next_times_are_told(api: Api) -> None:
    identifier = create(api, schedule="*/5 * * * *")

    times = api.get(f"/recurring/{identifier}/next", count=3).get_json()["next_times"]

    assert len(times) == 3
    assert times == sorted(times)
    assert len(api.get(f"/recurring/{identifier}/next").get_json()["next_times"]) == 10
    assert api.get(f"/recurring/{identifier}/next", count=101).status_code == 422


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"schedule": None}, {"schedule"}),
        ({"schedule": 60}, {"schedule"}),
        ({"schedule": "now and then"}, {"schedule"}),
        ({"schedule": "60 * * * *", "timezone": "UTC", "body": "{{x}}"}, {"schedule", "body"}),
        ({"timezone": "Mars/Base"}, {"timezone"}),
        ({"policy": "sometimes"}, {"policy"}),
        ({"expires_at": "2000-01-01T00:00:00Z"}, {"schedule"}),
        ({"expires_at": "soon"}, {"expires_at"}),
        ({"schedule": f"at:{rfc3339(system_clock() - 1000)}"}, {"schedule"}),
        ({"epoch": 1, "deliver_at": "2099-01-01T00:00:00Z"}, None),
        ({"body": None}, {"body"}),
        ({"to": "herd:x"}, {"to"}),
        ({"cron": "* * * * *"}, {"cron"}),
    ],
)
def test_bad_input_is_refused_with_every_field(
    api: Api, fields: dict[str, object], wrong: set[str] | None
) -> None:
    response = api.post("/recurring", REQUEST | fields)

    assert response.status_code == 422, response.json
    named = {error["field"] for error in response.get_json()["errors"]}
    assert named == (set(fields) if wrong is None else wrong)


def test_an_unknown_recipient_is_refused_with_near_names(api: Api) -> None:
    response = api.post("/recurring", REQUEST | {"to": "bobb"})

    assert (response.status_code, response.get_json()["code"]) == (404, "unknown_agent")
    assert "bob" in response.get_json()["detail"]


def test_what_is_not_there_is_not_found(api: Api) -> None:
    responses = [
        api.get(f"/recurring/{UNKNOWN}"),
        api.get("/recurring/standup"),
        api.get(f"/recurring/{UNKNOWN}/history"),
        api.get(f"/recurring/{UNKNOWN}/next"),
        api.post(f"/recurring/{UNKNOWN}/pause"),
        api.post(f"/recurring/{UNKNOWN}/resume"),
        api.call("DELETE", f"/recurring/{UNKNOWN}"),
    ]

    assert {response.status_code for response in responses} == {404}
    assert {response.get_json()["code"] for response in responses} == {"recurring_not_found"}


@pytest.mark.parametrize("how", ["field", "header"])
def test_the_same_may_be_asked_for_again_under_an_idempotency_key(api: Api, how: str) -> None:
    document = REQUEST | ({"idempotency_key": "k"} if how == "field" else {})
    headers = {"Idempotency-Key": "k"} if how == "header" else {}

    first = api.post("/recurring", document, headers=headers)
    second = api.post("/recurring", document, headers=headers)
    other = api.post("/recurring", document | {"body": "else"}, headers=headers)

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.get_json() == first.get_json()
    assert (other.status_code, other.get_json()["code"]) == (409, "idempotency_conflict")
    assert len(api.get("/recurring").get_json()["recurring"]) == 1


def test_a_repeat_of_one_that_has_left_finds_nothing(api: Api) -> None:
    document = REQUEST | {"idempotency_key": "k"}
    identifier = create(api, idempotency_key="k")
    api.broker.redis.command("DEL", api.broker.keys.recurring(RecurringId(identifier)))

    response = api.post("/recurring", document)

    assert (response.status_code, response.get_json()["code"]) == (404, "recurring_not_found")
