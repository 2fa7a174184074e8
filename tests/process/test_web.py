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
