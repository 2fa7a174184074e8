"""Errors as answers: the table, Redis away, and what nobody expected."""

from collections.abc import Iterator

import pytest
from apiflask import APIFlask

from app.errors import STATUS_OF, TITLE_OF, problem
from app.factory import create_app
from broker.kernel.errors import BrokerError, InboxFullError
from broker.wiring import Broker, build_broker
from tests.conftest import MakeSettings
from tests.contract.conftest import Api
from tests.process.stations import free_port

pytestmark = pytest.mark.contract


def every_error(kind: type[BrokerError] = BrokerError) -> Iterator[type[BrokerError]]:
    for inner in kind.__subclasses__():
        yield inner
        yield from every_error(inner)


def test_the_table_has_every_error() -> None:
    assert {kind.code for kind in every_error()} <= set(STATUS_OF)
    assert set(STATUS_OF.values()) == set(TITLE_OF)


def test_what_passes_is_never_a_caller_s_fault() -> None:
    passing = {kind.code for kind in every_error() if not kind.permanent}

    # A message that another has claimed is no fault either, but that it is claimed is a conflict.
    assert STATUS_OF["claim_held"] == 409
    assert {STATUS_OF[code].value for code in passing - {"claim_held"}} == {429, 503}


def test_a_problem_says_what_of() -> None:
    error = InboxFullError("full", retry_after_seconds=0.2)

    assert problem(error)["type"] == "urn:waystation:problem:inbox_full"


@pytest.fixture
def lonely(settings: MakeSettings) -> APIFlask:
    """An application whose Redis is not there."""
    nowhere = f"redis://127.0.0.1:{free_port()}/0"
    return create_app(settings(redis_url=nowhere, jobs_redis_url=nowhere))


def test_without_redis_every_call_is_told_to_come_back(lonely: APIFlask) -> None:
    api = lonely.test_client()
    message = {"from": "alice", "to": "bob", "body": "hi"}

    for response in (
        api.post("/api/v1/messages", json=message),
        api.post("/api/v1/messages/batch", json={"messages": [message]}),
        api.get("/api/v1/agents/bob/inbox"),
        api.get("/api/v1/agents"),
    ):
        assert response.status_code == 503
        assert response.content_type == "application/problem+json"
        assert response.get_json()["code"] == "storage_unavailable"
        assert int(response.headers["Retry-After"]) >= 1


def test_bad_input_is_named_without_redis_too(lonely: APIFlask) -> None:
    response = lonely.test_client().post("/api/v1/messages", json={})

    assert response.status_code == 422


def test_the_data_is_prepared_once_redis_is_there(
    settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = build_broker(settings())
    there = late.redis.client
    monkeypatch.setattr(
        late.redis, "client", build_broker(settings(redis_url="redis://127.0.0.1:1/0")).redis.client
    )
    api = create_app(settings(), late).test_client()
    assert api.get("/api/v1/agents/user").status_code == 503

    monkeypatch.setattr(late.redis, "client", there)

    assert api.get("/api/v1/agents/user").status_code == 200


def test_data_of_another_layout_stops_the_start(settings: MakeSettings, broker: Broker) -> None:
    del broker
    with pytest.raises(BrokerError, match="partitions"):
        create_app(settings(partitions=8))


def test_the_unexpected_tells_nothing_but_where_to_look(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("secret innards")

    monkeypatch.setattr(type(api.broker.archive), "get", fail)

    response = api.get("/messages/msg_" + "0" * 26)

    assert response.status_code == 500
    assert response.content_type == "application/problem+json"
    assert response.get_json()["code"] == "internal_error"
    assert "innards" not in response.text


def test_a_browser_may_not_ask_for_another_site(api: Api) -> None:
    api.send()

    inbox = "/agents/bob/inbox"
    refused = api.call("GET", inbox, headers={"Sec-Fetch-Site": "cross-site"})
    own = api.call("GET", inbox, headers={"Sec-Fetch-Site": "same-origin"})

    assert refused.status_code == 403
    assert refused.get_json()["code"] == "foreign_origin"
    assert len(own.get_json()["messages"]) == 1
