"""Agents are found by the station's own processes: by schedule, and when an operator asks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.process.stations import running
from tests.waiting import until

pytestmark = pytest.mark.process

WITHIN = 30


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_agents_come_and_go_on_disk_while_the_station_runs(tmp_path: Path) -> None:
    roots = tmp_path / "code"
    write(roots / "api" / "AGENTS.md", "# API\nRole: backend\n")

    with running(
        tmp_path / "data",
        WAYSTATION_DISCOVERY_ROOTS=str(roots),
        WAYSTATION_DISCOVERY_SECONDS="1",
        WAYSTATION_DISCOVERY_MODE="register",
    ) as station:

        def get(path: str) -> Any:
            return requests.get(f"{station.url}/api/v1{path}", timeout=10).json()

        def found() -> set[str]:
            return {one["id"] for each in get("/discovery")["reports"] for one in each["found"]}

        def comes_to_be(what: str, holds: Callable[[], bool]) -> None:
            until(holds, within=WITHIN, what=what)

        comes_to_be("api is an agent", lambda: get("/agents?label=backend")["agents"] != [])
        later = write(roots / "web" / "CLAUDE.md", "# Web\nRole: frontend\n")
        comes_to_be("web is an agent", lambda: get("/agents?label=frontend")["agents"] != [])
        later.unlink()
        comes_to_be("web is found no more", lambda: found() == {"api"})

        sent = requests.post(
            f"{station.url}/api/v1/messages",
            json={"from": "user", "to": ["label:backend", "label:frontend"], "body": "hello"},
            timeout=10,
        )
        assert sent.status_code == 202
        for agent in ("api", "web"):  # whom discovery registered, it does not forget
            (message,) = get(f"/agents/{agent}/inbox?wait_seconds=10")["messages"]
            assert message["body"] == "hello"


def test_an_operator_has_the_disk_searched(tmp_path: Path) -> None:
    roots = tmp_path / "code"
    write(roots / "api" / "AGENTS.md", "# API\n")

    with running(tmp_path / "data", WAYSTATION_DISCOVERY_ROOTS=str(roots)) as station:
        api = f"{station.url}/api/v1/discovery"
        assert requests.get(api, timeout=10).json() == {"reports": []}

        assert requests.post(f"{api}/scan", timeout=10).status_code == 202

        (report,) = until(
            lambda: requests.get(api, timeout=10).json()["reports"],
            within=WITHIN,
            what="a report",
        )
        assert [one["id"] for one in report["found"]] == ["api"]
