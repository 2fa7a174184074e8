"""The disk fills up under the station's own Redis: refused, never lost."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.process.load import impatient, under_load
from tests.process.recovery import RECOVERY_SECONDS
from tests.process.stations import Station
from tests.waiting import until

pytestmark = pytest.mark.process

SPARE_BYTES = 64 * 1024


def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path) -> None:
    with impatient(tmp_path / "station") as station, under_load(station.url) as load:

        def refusals() -> int:
            return load.ledger.answers["send", 503, "storage_unavailable"]

        first = station.redis()
        with full_disk(station):
            until(lambda: not first.is_running(), within=30, what="Redis can't write any more")
            until(lambda: station.redis() != first, within=5, what="it is started again")
            seen = refusals()
            until(lambda: refusals() >= seen + 20, within=15, what="sends are refused")

        load.wait_for_flow(within=RECOVERY_SECONDS)
        station.wait_until_ready(within=RECOVERY_SECONDS)
        load.settle()


@contextmanager
def full_disk(station: Station) -> Iterator[None]:
    """Let no file of Redis grow much further, however often the supervisor starts it again."""
    files = (station.data_dir / "redis" / "appendonlydir").glob("*")
    limit = max(file.stat().st_size for file in files) + SPARE_BYTES
    supervisor = psutil.Process(station.process.pid)
    unlimited = supervisor.rlimit(resource.RLIMIT_FSIZE)
    for process in (supervisor, station.redis()):
        process.rlimit(resource.RLIMIT_FSIZE, (limit, unlimited[1]))
    try:
        yield
    finally:
        supervisor.rlimit(resource.RLIMIT_FSIZE, unlimited)
        for process in station.descendants():
            process.rlimit(resource.RLIMIT_FSIZE, unlimited)
