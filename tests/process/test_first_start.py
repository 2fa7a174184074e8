"""A station that others can reach: it asks for tokens, and gives the first admin's out, once."""

import os
import re
import subprocess
import sys
from pathlib import Path

import requests

from config.settings import ROOT
from tests.process.stations import Station, free_port, launch, running
from tests.waiting import until

TOKEN = re.compile(r"wsk_[0-9A-Z]{26}_[\w-]{43}")


def greeting(station: Station) -> str:
    until(lambda: "Ctrl-C" in station.output.read_text(), within=20, what="the greeting")
    return station.output.read_text()


def asked(station: Station, path: str, token: str | None = None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(f"{station.url}{path}", headers=headers, timeout=5).status_code


def test_the_first_start_prints_one_admin_key_and_no_later_one_does(tmp_path: Path) -> None:
    with running(tmp_path / "station", API_HOST="0.0.0.0") as station:
        (token,) = TOKEN.findall(greeting(station))

        assert asked(station, "/api/v1/keys", token) == 200
        assert asked(station, "/api/v1/keys") == asked(station, "/metrics") == 401
        assert asked(station, "/health") == asked(station, "/health/ready") == 200

    with running(station.data_dir, API_HOST="0.0.0.0") as again:
        assert not TOKEN.findall(greeting(again))
        assert "python -m station.admin_key" in greeting(again)
        assert asked(again, "/api/v1/keys", token) == 200

    for file in station.data_dir.rglob("*"):
        if file.is_file():
            assert token[-43:].encode() not in file.read_bytes(), file


def test_an_admin_who_lost_the_key_makes_another_at_the_station(tmp_path: Path) -> None:
    with running(tmp_path / "station", WAYSTATION_AUTH="required") as station:
        made = subprocess.run(
            [sys.executable, "-m", "station.admin_key"],
            cwd=ROOT,
            env=os.environ | {"WAYSTATION_DATA_DIR": str(station.data_dir)},
            capture_output=True,
            text=True,
            check=True,
        )

        assert TOKEN.fullmatch(made.stdout.strip())
        assert asked(station, "/api/v1/keys", made.stdout.strip()) == 200


def test_a_station_refuses_to_run_open_where_others_can_reach_it(tmp_path: Path) -> None:
    station = launch(
        tmp_path / "station", port=free_port(), API_HOST="0.0.0.0", WAYSTATION_AUTH="off"
    )

    assert station.process.wait(10) == 1
    assert "refuses to run open" in station.output.read_text()
    assert not (tmp_path / "station").exists()


def test_with_an_admin_token_no_key_is_printed(tmp_path: Path) -> None:
    token = "correct-horse-battery-staple-0123456789"
    with running(
        tmp_path / "station", WAYSTATION_AUTH="required", WAYSTATION_ADMIN_TOKEN=token
    ) as station:
        assert not TOKEN.findall(greeting(station))
        assert token not in greeting(station)
        assert asked(station, "/api/v1/keys", token) == 200
