"""Every endpoint, tried by every sort of caller: it turns out as docs/access.md says."""

import dataclasses

import pytest
from apiflask import APIFlask

from app.access import AS_BODY_AGENT, Caller, Verdict
from app.access_document import Row, document, rows, table
from config.settings import ROOT
from tests.contract.access_requests import REQUESTS
from tests.contract.access_scene import Scene, without_ids

pytestmark = pytest.mark.contract

ROWS = list(table())
UNREADY = 503
"""What a station without workers answers to the probe of its readiness."""
NO_RULE = {"openapi.spec", "static", "websocket.serve"}
"""The endpoints that are no operations: the document, nothing, and what has its own rule."""


def test_every_route_declares_a_rule(guarded_app: APIFlask) -> None:
    declared = {id(guarded_app.view_functions[row.endpoint]) for row in rows(guarded_app)}

    for rule in guarded_app.url_map.iter_rules():
        view = guarded_app.view_functions[rule.endpoint]
        assert id(view) in declared or rule.endpoint in NO_RULE, rule


def test_the_document_tells_the_rules_of_today() -> None:
    assert (ROOT / "docs" / "access.md").read_text() == document()


@pytest.mark.parametrize("caller", Caller)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.call)
def test_it_turns_out_as_the_table_says(row: Row, caller: Caller, scene: Scene) -> None:
    assert row.operation_id in REQUESTS, f"add {row.operation_id} to tests/contract/access_requests"
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


ABOUT_MESSAGES = [
    row for row in ROWS if row.access is AS_BODY_AGENT and not row.operation_id.endswith("Channel")
]


@pytest.mark.parametrize("row", ABOUT_MESSAGES, ids=lambda row: row.call)
def test_a_stranger_as_itself_comes_at_nothing_of_others(row: Row, scene: Scene) -> None:
    ask = REQUESTS[row.operation_id](scene)
    assert isinstance(ask.body, dict)
    as_itself = dataclasses.replace(ask, body=ask.body | {"agent_id": scene.stranger})
    before = scene.snapshot_of_others()

    response = scene.call(Caller.ANOTHER, row.call, as_itself)

    never_was = scene.call(Caller.ANOTHER, row.call, scene.of_what_never_was(as_itself))
    assert response.status_code == 404
    assert without_ids(response) == without_ids(never_was)
    assert scene.snapshot_of_others() == before
