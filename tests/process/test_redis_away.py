"""Redis goes away, hangs or is full while agents use the station: refused, never lost."""

import dataclasses
import secrets
import threading
from collections import Counter
from collections.abc import Iterator

import psutil
import pytest
import requests

from station.redis_server import find_server
from tests.process.calls import Calls
from tests.process.ledger import Ledger, now
from tests.process.load import FLOW_SECONDS, impatient, under_load
from tests.process.recovery import RECOVERY_SECONDS
from tests.process.stations import Station
from tests.redis.servers import Server
from tests.redis.servers import running as running_redis
from tests.waiting import until

pytestmark = pytest.mark.process

AWAY_SECONDS = 10
PROBE_SECONDS = 3
PAUSE_SECONDS = 0.2


@pytest.fixture(scope="module")
def redis() -> Iterator[Server]:
    """A Redis that outlives the stations that use it, with the durability of the embedded one."""
    with running_redis(find_server(), appendonly="yes", appendfsync="always") as server:
        yield server


@pytest.fixture(scope="module")
def station(redis: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """A station that finds its Redis by URL."""
    path = tmp_path_factory.mktemp("away") / "station"
    with impatient(path, REDIS_URL=redis.url) as one:
        yield one


def watch(station: Station, seconds: float) -> tuple[Counter[int], Counter[str]]:
    """Ask for both probes over a time: each status of liveness, and each verdict of readiness."""
    alive: Counter[int] = Counter()
    ready: Counter[str] = Counter()
    pause = threading.Event()
    end = now() + seconds
    while now() < end:
        alive[requests.get(f"{station.url}/health", timeout=PROBE_SECONDS).status_code] += 1
        try:
            answer = requests.get(f"{station.url}/health/ready", timeout=PROBE_SECONDS)
        except requests.Timeout:
            ready["no answer in time"] += 1
        else:
            missing = [one["field"] for one in answer.json().get("errors", [])]
            ready[" ".join([str(answer.status_code), *missing[:1]])] += 1
        pause.wait(PAUSE_SECONDS)
    return alive, ready


def test_redis_is_gone_for_ten_seconds(station: Station, redis: Server) -> None:
    with under_load(station.url) as load:
        services = station.services()
        redis.kill()

        alive, ready = watch(station, AWAY_SECONDS)
        redis.start()
        returned = now()

        load.wait_for_flow(since=returned, within=RECOVERY_SECONDS)
        station.wait_until_ready(within=RECOVERY_SECONDS - (now() - returned))
        assert set(alive) == {200}
        assert set(ready) == {"503 redis"}
        assert load.ledger.answers["send", 503, "storage_unavailable"]
        assert station.services() == services
        load.settle()


def test_redis_hangs_for_ten_seconds(station: Station, redis: Server) -> None:
    with under_load(station.url) as load:
        services = station.services()
        hung = psutil.Process(redis.pid)
        hung.suspend()

        alive, ready = watch(station, AWAY_SECONDS)
        hung.resume()
        returned = now()

        load.wait_for_flow(since=returned, within=RECOVERY_SECONDS)
        station.wait_until_ready(within=RECOVERY_SECONDS - (now() - returned))
        assert set(alive) == {200}
        assert "200" not in ready
        assert station.services() == services
        load.settle()


def test_redis_is_out_of_memory(station: Station, redis: Server) -> None:
    with under_load(station.url) as load, redis.client() as client:
        calls = Calls(station.url, Ledger())
        stock = fill_inbox(calls, count=20)
        client.config_set("maxmemory", 1)
        until(
            lambda: load.ledger.answers["send", 503, "storage_full"],
            within=RECOVERY_SECONDS,
            what="sends are refused",
        )

        fetch = f"/agents/{stock.agent}/inbox?limit=100"
        fetched = calls.ask("fetch", fetch)[1]["messages"]
        acks = [{"id": one["id"], "lease_token": one["lease"]["token"]} for one in fetched]
        finished = calls.ask("acknowledge", f"/agents/{stock.agent}/inbox/ack", {"acks": acks})[1][
            "results"
        ]
        assert [one["id"] for one in finished if "problem" not in one] == stock.ids
        assert calls.ask("fetch", fetch) == (200, {"messages": []})
        until(load.is_settled, within=FLOW_SECONDS, what="all that was accepted has a verdict")
        assert requests.get(f"{station.url}/health", timeout=PROBE_SECONDS).status_code == 200

        client.config_set("maxmemory", 0)
        load.wait_for_flow(within=RECOVERY_SECONDS)
        station.wait_until_ready(within=RECOVERY_SECONDS)
        load.settle()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stock:
    """What waits in an inbox of which nobody fetches."""

    agent: str
    ids: list[str]


def fill_inbox(calls: Calls, *, count: int) -> Stock:
    """Put messages into an inbox of its own."""
    agent = f"stock-{secrets.token_hex(3)}"
    calls.ask("register", "/agents/register", {"id": agent})
    messages = [{"from": agent, "to": agent, "body": str(number)} for number in range(count)]
    _, sent = calls.ask("send", "/messages/batch", {"messages": messages})

    def waiting() -> list[str]:
        _, inbox = calls.ask("peek", f"/agents/{agent}/inbox?peek=true&limit=100")
        return [one["id"] for one in inbox["messages"]]

    until(lambda: len(waiting()) == count, within=RECOVERY_SECONDS, what="the inbox has filled")
    return Stock(agent=agent, ids=[one["id"] for one in sent["results"]])
