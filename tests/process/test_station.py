"""One command runs a station: ready, restarted, stopped, two side by side."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.process.recovery import RECOVERY_SECONDS
from tests.process.stations import STOP_SECONDS, Station, free_port, launch, running
from tests.waiting import until


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Station]:
    """Give a station to all tests here that leave it as ready as they found it."""
    with running(tmp_path_factory.mktemp("shared") / "station") as one:
        yield one


def test_it_says_where_it_listens_and_what_to_try(station: Station) -> None:
    until(lambda: "Ctrl-C" in station.output.read_text(), within=5, what="the greeting")

    said = station.output.read_text()
    assert f"ready at {station.url}" in said
    assert str(station.data_dir) in said
    assert f"WAYSTATION_URL={station.url}" in said
    assert "script/waystation send bob hello" in said


@pytest.mark.parametrize(
    "command",
    [
        ("-m", "workers", "routing"),
        ("-m", "workers", "delivery"),
        ("-m", "workers", "retry"),
        ("-m", "workers", "execution"),
        ("-m", "scheduler"),
        ("app.factory:create_app()",),
    ],
    ids=lambda command: command[-1],
)
def test_a_killed_process_comes_back_and_the_others_go_on(
    station: Station, command: tuple[str, ...]
) -> None:
    killed = station.get(*command)
    others = station.services() - {killed.pid, *(p.pid for p in killed.children(recursive=True))}

    killed.kill()

    def came_back() -> bool:
        found = station.find(*command)
        return found is not None and found.pid != killed.pid

    until(came_back, within=RECOVERY_SECONDS, what="the process is started again")
    station.wait_until_ready(within=RECOVERY_SECONDS)
    assert others <= station.services()


def test_a_killed_redis_comes_back_with_what_it_held(station: Station) -> None:
    url = (station.data_dir / "redis" / "url").read_text().strip()
    client = redis.Redis.from_url(url)
    client.set("kept", "yes")

    station.redis().kill()

    def answer() -> object:
        try:
            return client.get("kept")
        except redis.RedisError:
            return None

    assert until(answer, within=RECOVERY_SECONDS, what="Redis answers") == b"yes"
    station.wait_until_ready(within=RECOVERY_SECONDS)


def test_the_redis_refuses_whoever_has_no_password(station: Station) -> None:
    url_file = station.data_dir / "redis" / "url"
    port = redis.Redis.from_url(url_file.read_text().strip()).connection_pool.connection_kwargs[
        "port"
    ]

    assert url_file.stat().st_mode & 0o077 == 0
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=port).ping()


def test_a_killed_station_leaves_nothing_running_and_starts_again(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path / "station", port=port) as first:
        client = redis.Redis.from_url((first.data_dir / "redis" / "url").read_text().strip())
        client.set("kept", "yes")

        first.kill()

        assert not first.survivors()

    with running(tmp_path / "station", port=port) as second:
        client = redis.Redis.from_url((second.data_dir / "redis" / "url").read_text().strip())
        assert client.get("kept") == b"yes"


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everything_cleanly(tmp_path: Path, sent: signal.Signals) -> None:
    with running(tmp_path / "station") as station:
        station.seen = station.descendants()

        station.process.send_signal(sent)

        assert station.process.wait(STOP_SECONDS) == 0
        assert not station.survivors()
        assert "SIGKILL" not in (station.data_dir / "log" / "station.log").read_text()


def test_a_closed_terminal_leaves_the_station_as_it_is(station: Station) -> None:
    services = station.services()

    station.process.send_signal(signal.SIGHUP)
    station.get("-m", "workers", "retry").kill()  # noticed after the signal

    until(lambda: station.find("-m", "workers", "retry"), within=5, what="supervision goes on")
    assert len(services & station.services()) == len(services) - 1
    assert "SIGHUP" not in (station.data_dir / "log" / "station.log").read_text()


def test_a_second_station_in_the_same_directory_is_refused(station: Station) -> None:
    second = launch(station.data_dir, port=free_port())

    assert second.process.wait(10) == 1
    assert "own WAYSTATION_DATA_DIR" in second.output.read_text()
    assert station.is_ready()


def test_a_port_in_use_is_refused_before_anything_starts(station: Station, tmp_path: Path) -> None:
    second = launch(tmp_path / "second", port=station.port)

    assert second.process.wait(10) == 1
    assert f"API_PORT {station.port}: can't listen there" in second.output.read_text()
    assert not (tmp_path / "second" / "redis").exists()


def test_two_stations_run_side_by_side(station: Station, tmp_path: Path) -> None:
    with running(tmp_path / "second") as second:
        urls = {(s.data_dir / "redis" / "url").read_text() for s in (station, second)}

        assert len(urls) == 2
        assert station.is_ready()
        assert second.is_ready()


def test_a_wrong_setting_is_said_before_anything_starts(tmp_path: Path) -> None:
    station = launch(tmp_path / "station", port=free_port(), WAYSTATION_LEASE_SECOND="5")

    assert station.process.wait(10) == 1
    assert "Did you mean WAYSTATION_LEASE_SECONDS?" in station.output.read_text()
