"""`waystation doctor` at stations that are well, and with every fault it looks for."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from station.redis_server import find_server
from tests.client.command_line import CommandLine, Ended
from tests.client.conftest import MakeName
from tests.client.relay import relaying
from tests.client.terminal import in_terminal
from tests.process.stations import Station, free_port, running
from tests.redis.servers import running as running_redis
from tests.waiting import until
from waystation import Station as Client

pytestmark = pytest.mark.client


def check(ended: Ended, name: str) -> dict[str, Any]:
    """What a check said in `--json`."""
    found: dict[str, Any] = next(one for one in ended.document["checks"] if one["name"] == name)
    return found


def verdict(ended: Ended, name: str) -> str:
    return str(check(ended, name)["verdict"])


def problems(ended: Ended) -> list[str]:
    return [one["name"] for one in ended.document["checks"] if one["verdict"] == "problem"]


def doctor(url: str, *words: str) -> Ended:
    return CommandLine(url=url)("doctor", "--json", *words)


def test_where_nothing_is_wrong_every_check_says_so_and_leaves_no_trace(
    station: Station, waystation: CommandLine, named: MakeName
) -> None:
    waystation("agents", "register", named("bob"))

    ended = doctor(station.url, "--as", named("bob"))

    assert (ended.exit_code, problems(ended)) == (0, [])
    assert ended.document["verdict"] == "ok"
    for name in ("station", "readiness", "clock", "token", "agent", "websocket", "round trip"):
        assert verdict(ended, name) == "ok"
    with Client(station.url) as client:
        agents = [agent.id for agent in client.agents.list(limit=1000).agents]
        assert not [agent for agent in agents if agent.startswith("doctor-")]
        assert client.messages.list(to=named("bob")).messages == []


def test_a_pipe_gets_a_line_a_check_and_a_script_the_exit_code(waystation: CommandLine) -> None:
    ended = waystation.process("doctor", "--no-send")

    assert ended.exit_code == 0
    lines = [line.split("\t") for line in ended.stdout.splitlines()]
    assert ["ok", "readiness", "every part is there", ""] in lines
    assert ["skipped", "round trip", "--no-send", ""] in lines


def test_a_person_is_told_where_to_begin(station: Station, named: MakeName) -> None:
    with in_terminal("--url", station.url, "doctor", "--no-send") as terminal:
        assert terminal.ends() == 0
        assert "Nothing is wrong." in terminal.written
    with in_terminal(
        "--url", station.url, "doctor", "--no-send", "--as", named("nobody")
    ) as terminal:
        assert terminal.ends() == 1
        assert "1 problem. Begin with the first: agent." in terminal.written
        assert f"waystation agents register {named('nobody')}" in terminal.written


def test_without_sending_nothing_is_sent(station: Station) -> None:
    with Client(station.url) as client:
        before = client.health.stats().totals["message.accepted"]

        doctor(station.url, "--no-send")
        without = client.health.stats().totals["message.accepted"]
        doctor(station.url)
        with_it = client.health.stats().totals["message.accepted"]

    assert (without, with_it) == (before, before + 1)


def test_nothing_listens() -> None:
    ended = doctor(f"http://127.0.0.1:{free_port()}")

    assert (ended.exit_code, problems(ended)) == (1, ["connection"])
    assert "refused" in check(ended, "connection")["seen"]
    assert "script/server" in check(ended, "connection")["mend"]


def test_the_host_has_no_address() -> None:
    ended = doctor("http://no-such-host.invalid:8080")

    assert problems(ended) == ["address"]


@contextmanager
def another_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_another_server_listens() -> None:
    with another_server() as url:
        ended = doctor(url)

    assert (ended.exit_code, problems(ended)) == (1, ["station"])
    assert "SimpleHTTP" in check(ended, "station")["seen"]


def test_tls_is_asked_of_a_station_that_speaks_none(station: Station) -> None:
    ended = doctor(f"https://127.0.0.1:{station.port}")

    assert problems(ended) == ["certificate"]


def test_a_proxy_of_the_environment_stands_before_this_machine(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    with another_server() as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)

        ended = doctor(station.url)

    assert problems(ended)[0] == "proxy"
    assert "NO_PROXY" in check(ended, "proxy")["mend"]


def test_a_proxy_loses_upgrades(station: Station) -> None:
    def without_upgrade(asked: bytes) -> bytes:
        return re.sub(rb"(?im)^(upgrade|connection):.*\r\n", b"", asked)

    with relaying(station.port, asked=without_upgrade) as relay:
        ended = doctor(relay.url)

    assert (ended.exit_code, problems(ended)) == (1, ["websocket"])
    assert "Upgrade" in check(ended, "websocket")["mend"]


def test_the_clocks_disagree(station: Station) -> None:
    def an_hour_ago(answered: bytes) -> bytes:
        return re.sub(rb"(?im)^date: .*\r\n", b"Date: Thu, 19 Nov 2020 10:00:00 GMT\r\n", answered)

    with relaying(station.port, answered=an_hour_ago) as relay:
        ended = doctor(relay.url)

    assert ended.exit_code == 0
    assert verdict(ended, "clock") == "warning"
    assert "behind" in check(ended, "clock")["seen"]


def test_the_agent_is_not_registered(station: Station, named: MakeName) -> None:
    ended = doctor(station.url, "--as", named("nobody"))

    assert (ended.exit_code, problems(ended)) == (1, ["agent"])
    assert check(ended, "agent")["mend"] == f"waystation agents register {named('nobody')}"


def test_what_waits_and_what_died_for_an_agent_is_told(
    station: Station, waystation: CommandLine, named: MakeName
) -> None:
    bob = named("bob")
    waystation("agents", "register", bob)
    with Client(station.url) as client:
        client.messages.send("user", bob, "never mind")
        dying = client.messages.fetch(bob, wait_seconds=10).messages[0]
        assert dying.lease is not None
        client.messages.nack(dying.id, agent_id=bob, lease_token=dying.lease.token, permanent=True)
        client.messages.send("user", bob, "hello")

        def waits() -> bool:
            return bool(client.messages.fetch(bob, peek=True).messages)

        until(waits, within=10, what="the message waits")

    ended = doctor(station.url, "--as", bob)

    assert check(ended, "inbox")["seen"].startswith("1 wait")
    assert verdict(ended, "dead letters") == "warning"
    assert check(ended, "dead letters")["mend"] == f"waystation dead-letters list --of {bob}"


def test_the_configuration_file_is_broken(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[profiles.home\n")
    monkeypatch.setenv("WAYSTATION_CONFIG", str(path))

    ended = doctor(station.url)

    assert (ended.exit_code, problems(ended)) == (1, ["configuration"])
    assert str(path) in check(ended, "configuration")["seen"]


def test_the_file_of_the_token_is_missing(station: Station, tmp_path: Path) -> None:
    ended = doctor(station.url, "--token-file", str(tmp_path / "no.key"))

    assert (ended.exit_code, problems(ended)) == (1, ["configuration"])
    assert "no.key" in check(ended, "configuration")["seen"]


def test_others_can_read_the_token(station: Station, tmp_path: Path) -> None:
    path = tmp_path / "bob.key"
    path.write_text("wsk_secret")
    path.chmod(0o644)

    open_to_others = doctor(station.url, "--token-file", str(path))
    path.chmod(0o600)
    own = doctor(station.url, "--token-file", str(path))

    assert open_to_others.exit_code == 0
    assert verdict(open_to_others, "secrets") == "warning"
    assert check(open_to_others, "secrets")["mend"] == f"chmod 600 {path}"
    assert verdict(own, "secrets") == "ok"
    assert "wsk_secret" not in open_to_others.stdout


def test_a_station_asks_for_a_token(
    guarded: Station, admin: Client, named: MakeName, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = named("bob")
    key = admin.keys.create("bob", [f"agent:{bob}"])
    admin.agents.register(bob)

    none = doctor(guarded.url, "--as", bob)
    monkeypatch.setenv("WAYSTATION_TOKEN", "wsk_wrong")
    wrong = doctor(guarded.url, "--as", bob)
    monkeypatch.setenv("WAYSTATION_TOKEN", key.token)
    right = doctor(guarded.url, "--as", bob)
    foreign = doctor(guarded.url, "--as", "user")
    admin.keys.revoke(key.id)

    assert (none.exit_code, problems(none)) == (1, ["token"])
    assert "none is configured" in check(none, "token")["seen"]
    assert problems(wrong) == ["token"]
    assert "WAYSTATION_TOKEN" in check(wrong, "token")["seen"]
    assert (right.exit_code, problems(right)) == (0, [])
    assert f"agent:{bob}" in check(right, "token")["seen"]
    assert verdict(right, "round trip") == verdict(right, "websocket") == "ok"
    assert verdict(foreign, "round trip") == "skipped"
    until(
        lambda: problems(doctor(guarded.url, "--as", bob)) == ["token"],
        within=10,
        what="the revoked key is refused",
    )


def test_an_agent_cli_is_here_and_then_connected(
    station: Station, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 2.1.0\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CLAUDE_CONFIG_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)

    before = doctor(station.url, "--no-send", "--as", "user")
    CommandLine(url=station.url)("connect", "claude", "--as", "alice", "--write")
    after = doctor(station.url, "--no-send", "--as", "user")

    assert verdict(before, "clients") == "skipped"
    assert check(before, "clients")["mend"] == "waystation connect claude --as user --write"
    assert (verdict(after, "clients"), check(after, "clients")["seen"]) == ("ok", "claude as alice")


def test_redis_is_killed(tmp_path: Path) -> None:
    with (
        running_redis(find_server(), appendonly="yes", appendfsync="always") as redis,
        running(tmp_path / "data", REDIS_URL=redis.url) as station,
    ):
        redis.kill()

        ended = doctor(station.url, "--as", "user")

        redis.start()
        station.wait_until_ready()

    assert ended.exit_code == 1
    assert problems(ended)[0] == "readiness"
    assert "redis" in check(ended, "readiness")["seen"]
