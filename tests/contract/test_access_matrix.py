"""Every endpoint, tried by every sort of caller: it turns out as docs/access.md says."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.access import Caller, Verdict
from app.access_document import Row, document, rows, table
from app.factory import create_app
from broker.security.api_keys import NewKey
from broker.wiring import Broker, build_broker
from config.settings import ROOT, Settings, load_settings
from tests.contract.access_requests import REQUESTS
from tests.contract.access_scene import Scene, without_ids
from tests.redis.stage import Stage

pytestmark = pytest.mark.contract

MakeScene = Callable[[], Scene]

ROWS = list(table())
UNREADY = 503
"""What a station without workers answers to the probe of its readiness."""
NO_RULE = {"openapi.spec", "static", "websocket.serve"}
"""The endpoints that are no operations: the document, nothing, and what has its own rule."""


@pytest.fixture(scope="module")
def guarded(redis_url: str, jobs_redis_url: str) -> Settings:
    """Settings of a station that asks everybody for a token."""
    return load_settings(
        {
            "REDIS_URL": redis_url,
            "JOBS_REDIS_URL": jobs_redis_url,
            "WAYSTATION_NAMESPACE": "access-matrix",
            "WAYSTATION_PARTITIONS": "4",
            "WAYSTATION_AUTH": "required",
        }
    )


@pytest.fixture(scope="module")
def station(guarded: Settings) -> Iterator[Broker]:
    built = build_broker(guarded)
    built.prepare()
    yield built
    built.redis.client.close()
    built.jobs.client.close()


@pytest.fixture(scope="module")
def guarded_app(guarded: Settings, station: Broker) -> APIFlask:
    return create_app(guarded, station)


@pytest.fixture(scope="module")
def make_scene(guarded: Settings, station: Broker, guarded_app: APIFlask) -> MakeScene:
    """Set scenes whose agents no other scene has, with a key for each sort of caller."""
    client: FlaskClient = guarded_app.test_client()
    stage = Stage(broker=station, settings=guarded)
    numbers = itertools.count(1)

    def issue(scope: str) -> str:
        return station.identity.keys.create(
            NewKey(name=scope, scopes=(scope,)), created_by="t"
        ).token

    roles = {Caller.OPERATOR: issue("operator"), Caller.ADMIN: issue("admin")}

    def make() -> Scene:
        name = str(next(numbers))
        tokens = roles | {
            Caller.ITSELF: issue(f"agent:agent-{name}"),
            Caller.ANOTHER: issue(f"agent:stranger-{name}"),
        }
        return Scene(stage, client, name, tokens)

    return make


def test_every_route_declares_a_rule(guarded_app: APIFlask) -> None:
    declared = {id(guarded_app.view_functions[row.endpoint]) for row in rows(guarded_app)}

    for rule in guarded_app.url_map.iter_rules():
        view = guarded_app.view_functions[rule.endpoint]
        assert id(view) in declared or rule.endpoint in NO_RULE, rule


def test_the_document_tells_the_rules_of_today() -> None:
    assert (ROOT / "docs" / "access.md").read_text() == document()


@pytest.mark.parametrize("caller", Caller)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.call)
def test_it_turns_out_as_the_table_says(row: Row, caller: Caller, make_scene: MakeScene) -> None:
    assert row.operation_id in REQUESTS, f"add {row.operation_id} to tests/contract/access_requests"
    scene = make_scene()
    ask = REQUESTS[row.operation_id](scene)
    before = scene.snapshot()

    response = scene.call(caller, row.call, ask)

    match row.access.verdict(caller):
        case Verdict.ALLOWED:
            assert response.status_code < 400 or response.status_code == UNREADY, response.text
            assert ask.mark in response.text
        case Verdict.OWN:
            assert response.status_code < 400, response.text
            assert (ask.mark in response.text) is (caller is Caller.ITSELF)
        case Verdict.UNAUTHENTICATED:
            assert (response.status_code, response.get_json()["code"]) == (401, "unauthenticated")
            assert scene.snapshot() == before
        case Verdict.FORBIDDEN:
            assert (response.status_code, response.get_json()["code"]) == (403, "forbidden")
            assert scene.snapshot() == before
        case Verdict.HIDDEN:
            never_was = scene.call(caller, row.call, scene.of_what_never_was(ask))
            assert response.status_code == 404
            assert without_ids(response) == without_ids(never_was)
            assert scene.snapshot() == before
