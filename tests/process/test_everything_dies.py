"""kill -9 and SIGTERM of each process of a station, and of all at once, while agents use it.

Each test ends with the same verdict: whatever was accepted is acknowledged or a dead letter,
nothing acknowledged comes back, and first deliveries are in order.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from broker.operations.processes import Role
from broker.wiring import Broker, build_broker
from config.settings import load_settings
from station.redis_server import find_server
from tests.process.calls import Calls
from tests.process.ledger import Ledger, now
from tests.process.load import impatient, under_load
from tests.process.recovery import RECOVERY_SECONDS
from tests.process.stations import Station, free_port
from tests.redis.servers import running as running_redis
from tests.waiting import until

pytestmark = pytest.mark.process

POOLS = (Role.ROUTING, Role.DELIVERY, Role.RETRY, Role.EXECUTION)


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """Give a station to all tests here that leave it as ready as they found it."""
    with impatient(tmp_path_factory.mktemp("shared") / "station") as one:
        yield one


@pytest.fixture(scope="module")
def broker(station: Station) -> Iterator[Broker]:
    """A view of the station's own state."""
    built = build_broker(load_settings({"WAYSTATION_DATA_DIR": str(station.data_dir)}))
    yield built
    built.redis.client.close()
    built.jobs.client.close()


def web_master(station: Station) -> psutil.Process:
    def find() -> psutil.Process | None:
        own = psutil.Process(station.process.pid).children()
        return next((p for p in own if p in station.find_all("app.factory:create_app()")), None)

    return until(find, within=10, what="the process that listens")


def web_worker(station: Station) -> psutil.Process:
    return until(
        lambda: next(iter(web_master(station).children()), None),
        within=10,
        what="a process that answers",
    )


@pytest.mark.parametrize(
    "victim", [Station.redis, web_master, web_worker], ids=["redis", "web-master", "web-worker"]
)
def test_what_every_message_passes_is_killed(
    station: Station, victim: Callable[[Station], psutil.Process]
) -> None:
    with under_load(station.url) as load:
        moment = now()
        victim(station).kill()

        load.wait_for_flow(since=moment, within=RECOVERY_SECONDS)

        load.settle()
    station.wait_until_ready(within=RECOVERY_SECONDS)


@pytest.mark.parametrize("role", [*POOLS, Role.SCHEDULER])
def test_a_process_that_works_behind_is_killed(
    station: Station, broker: Broker, role: Role
) -> None:
    command = ("-m", "scheduler") if role is Role.SCHEDULER else ("-m", "workers", role)
    with under_load(station.url) as load:
        killed = station.get(*command)
        moment = now()
        killed.kill()

        load.wait_for_flow(since=moment, within=RECOVERY_SECONDS)
        until(
            lambda: {one.pid for one in broker.processes.alive(role)} - {killed.pid},
            within=RECOVERY_SECONDS - (now() - moment),
            what=f"another {role} process lives",
        )
        time_passes_for_messages(station)

        load.settle()
    station.wait_until_ready(within=RECOVERY_SECONDS)


def time_passes_for_messages(station: Station) -> None:
    """See a delayed message arrive and a dead one return: what scheduler and sweeps are for."""
    calls = Calls(station.url, Ledger())
    name = f"patient-{secrets.token_hex(3)}"
    calls.ask("register", "/agents/register", {"id": name})
    message = {"from": name, "to": name, "body": "later", "delay_seconds": 1, "max_attempts": 1}
    assert calls.ask("send", "/messages", message)[0] == 202
    fetch = f"/agents/{name}/inbox?wait_seconds={RECOVERY_SECONDS}"

    _, inbox = calls.ask("fetch", fetch)
    (delayed,) = inbox["messages"]
    rejection = {"agent_id": name, "lease_token": delayed["lease"]["token"], "reason": "a trial"}
    _, rejected = calls.ask("reject", f"/messages/{delayed['id']}/nack", rejection)
    assert rejected["status"] == "dead"

    _, inbox = calls.ask("fetch", fetch)
    (retried,) = inbox["messages"]
    assert retried["id"] == delayed["id"]


def test_everything_is_killed_at_once(tmp_path: Path) -> None:
    port = free_port()
    with (
        impatient(tmp_path / "station", port=port) as first,
        under_load(first.url) as load,
    ):
        kill_all(first)

        with impatient(tmp_path / "station", port=port):
            load.wait_for_flow()
            load.settle()


def kill_all(station: Station) -> None:
    """Send kill -9 to every process of a station, the one that restarts the others first."""
    station.kill()
    for process in station.seen:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    assert not station.survivors()


def test_a_station_is_stopped_and_started_again(tmp_path: Path) -> None:
    port = free_port()
    with (
        impatient(tmp_path / "station", port=port) as first,
        under_load(first.url) as load,
    ):
        assert first.stop() == 0
        assert not first.survivors()
        assert "SIGKILL" not in (first.data_dir / "log" / "station.log").read_text()

        with impatient(tmp_path / "station", port=port):
            load.wait_for_flow()
            load.settle()


def test_two_of_every_process_share_one_redis_and_half_of_them_die(tmp_path: Path) -> None:
    port = free_port()
    with (
        running_redis(find_server(), appendonly="yes", appendfsync="always") as redis,
        impatient(tmp_path / "first", REDIS_URL=redis.url) as first,
        impatient(tmp_path / "second", port=port, REDIS_URL=redis.url) as second,
        under_load(first.url, second.url) as load,
    ):
        kill_all(second)
        load.wait_for_flow(through=first.url, within=RECOVERY_SECONDS)

        with impatient(tmp_path / "second", port=port, REDIS_URL=redis.url):
            load.wait_for_flow()
            load.settle()
