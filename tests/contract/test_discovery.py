"""Discovery as operators see it (SPEC R10)."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.factory import create_app
from tests.conftest import MakeBroker, MakeSettings
from tests.contract.conftest import Api

pytestmark = pytest.mark.contract


@pytest.fixture
def searching(make_broker: MakeBroker, settings: MakeSettings, tmp_path: Path) -> Api:
    """A station that looks for agents in the test's directory."""
    broker = make_broker(discovery_roots=(tmp_path,))
    client: FlaskClient = create_app(settings(), broker).test_client()
    return Api(client=client, broker=broker)


def test_what_a_search_found_is_shown_and_registered(searching: Api, tmp_path: Path) -> None:
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "CLAUDE.md").write_text("# API\nRole: backend\nCapabilities: go\n")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "CLAUDE.md").write_bytes(b"\xff")
    assert searching.get("/discovery").get_json() == {"reports": []}

    asked = searching.post("/discovery/scan")
    searching.broker.discovery.scan()  # as the execution pool does when it is asked
    (report,) = searching.get("/discovery").get_json()["reports"]
    registered = searching.post("/discovery/register", {"ids": ["api"]})

    assert (asked.status_code, asked.get_json()) == (202, {"status": "asked"})
    assert report["complete"]
    assert report["found"] == [
        {
            "id": "api",
            "change": "new",
            "name": "API",
            "role": "backend",
            "capabilities": ["go"],
            "tags": [],
            "cwd": str(tmp_path / "api"),
            "branch": None,
            "sources": ["CLAUDE.md"],
        }
    ]
    assert [one["reason"] for one in report["obstacles"]] == ["is not UTF-8 text"]
    assert registered.get_json() == {"registered": ["api"]}
    agent = searching.get("/agents/api").get_json()["agent"]
    assert (agent["status"], agent["last_seen"], agent["label"]) == ("offline", None, "backend")


def test_a_search_that_is_asked_for_twice_is_made_once(searching: Api) -> None:
    for _ in range(2):
        assert searching.post("/discovery/scan").status_code == 202

    queue = searching.broker.keys.jobs_queue("execution")
    assert searching.broker.jobs.command("LLEN", f"rq:queue:{queue}") == 1


def test_who_was_not_found_can_not_be_registered(searching: Api) -> None:
    response = searching.post("/discovery/register", {"ids": ["stranger"]})

    assert (response.status_code, response.get_json()["code"]) == (404, "discovery_not_found")


@pytest.mark.parametrize("ids", [[], "api", [1], None, ["x"] * 1001])
def test_bad_ids_are_refused(searching: Api, ids: object) -> None:
    response = searching.post("/discovery/register", {"ids": ids})

    assert response.status_code == (200 if ids is None else 422)
