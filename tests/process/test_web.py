"""The web process on its way out: who waits is answered."""

import threading
from pathlib import Path

import pytest
import requests

from broker.kernel.ids import Partition
from broker.wiring import build_broker
from config.settings import load_settings
from tests.process.stations import running
from tests.waiting import until

pytestmark = pytest.mark.process


def test_a_long_poll_is_answered_when_the_station_stops(tmp_path: Path) -> None:
    answers: list[requests.Response] = []
    with running(tmp_path / "station") as station:
        api = f"{station.url}/api/v1"
        requests.post(f"{api}/agents/register", json={"id": "bob"}, timeout=10).raise_for_status()

        def poll() -> None:
            inbox = f"{api}/agents/bob/inbox?wait_seconds=60"
            answers.append(requests.get(inbox, timeout=70))

        waiting = threading.Thread(target=poll)
        waiting.start()
        broker = build_broker(load_settings({"WAYSTATION_DATA_DIR": str(station.data_dir)}))
        # The web process subscribes when the first caller waits.
        until(
            lambda: broker.redis.command("PUBSUB", "CHANNELS", broker.keys.arrivals(Partition(0))),
            within=20,
            what="somebody waits for messages",
        )

        station.stop()

    waiting.join(timeout=20)
    assert [(one.status_code, one.json()) for one in answers] == [(200, {"messages": []})]


def test_a_connection_without_a_request_does_not_hold_up_the_stop(tmp_path: Path) -> None:
    with running(tmp_path / "station") as station, requests.Session() as session:
        assert session.get(f"{station.url}/health", timeout=10).ok  # and the connection stays open

        assert station.stop() == 0

        said = (station.data_dir / "log" / "web.log").read_text()
        # gunicorn kills a worker that does not end by itself, and then there is no such line.
        assert "Worker exiting" in said
        assert "error" not in said.replace("gunicorn.error", "")
