"""`waystation health` and `waystation stats` at a real station."""

from datetime import UTC, datetime

import pytest

from tests.client.command_line import CommandLine
from tests.client.conftest import MakeName
from tests.client.terminal import in_terminal
from tests.process.stations import Station
from tests.waiting import until
from waystation.answers import HealthReport
from waystation.cli.health import sparkline

pytestmark = pytest.mark.client


def report(score: float) -> HealthReport:
    return HealthReport(at=datetime.now(UTC), conditions=[], parts={}, score=score)


def test_the_numbers_stand_by_their_paths(waystation: CommandLine, named: MakeName) -> None:
    waystation("agents", "register", named("bob"))
    waystation("send", named("bob"), "hello", "--as", "user")

    lines = dict(line.split("\t") for line in waystation("stats").stdout.splitlines())

    assert lines["processes.routing"] == "1"
    assert int(lines["totals.message.accepted"]) >= 1
    assert waystation("stats", "--json").document["processes"]["routing"] == 1


def test_the_deepest_inboxes_are_named(waystation: CommandLine, named: MakeName) -> None:
    bob = named("bob")
    waystation("agents", "register", bob)
    waystation("send", bob, "hello", "--as", "user")

    def is_shown() -> bool:
        return f"{bob}\t1\t1\t0\t0\t" in waystation("stats", "--inboxes", "1000").stdout

    until(is_shown, within=10, what="the inbox is shown")


def test_health_is_a_score_with_its_parts(waystation: CommandLine) -> None:
    plain = waystation("health")

    assert plain.stdout.startswith("score\t")
    assert "\nworkers\t" in plain.stdout
    assert 0 <= waystation("health", "--json").document["score"] <= 100


def test_in_a_terminal_the_last_scores_are_a_line(station: Station) -> None:
    with in_terminal("--url", station.url, "health") as terminal:
        assert terminal.ends() == 0

        assert " of 100" in terminal.written
        assert "PART" in terminal.written


def test_the_history_is_listed(waystation: CommandLine) -> None:
    def has_reports() -> bool:
        return bool(waystation("health", "history", "--limit", "1", "--json").document["reports"])

    until(has_reports, within=30, what="a report was taken")


def test_the_parts_are_listed_when_all_are_there(waystation: CommandLine) -> None:
    assert "routing\tok\n" in waystation("health", "ready").stdout


def test_one_threshold_is_set_and_the_others_stay(waystation: CommandLine) -> None:
    before = waystation("health", "thresholds", "--json").document

    waystation("health", "thresholds", "--set", "warning_latency_seconds=7")
    after = waystation("health", "thresholds", "--set", "warning_score=70", "--json").document
    unknown = waystation("health", "thresholds", "--set", "speed=7")
    back = waystation(
        *("health", "thresholds", "--json"),
        *("--set", f"warning_latency_seconds={before['warning_latency_seconds']}"),
        *("--set", f"warning_score={before['warning_score']}"),
    )

    assert after == before | {"warning_latency_seconds": 7.0, "warning_score": 70.0}
    assert unknown.exit_code == 2
    assert back.document == before


def test_scores_become_bars_from_the_oldest_to_the_newest() -> None:
    assert sparkline([report(100), report(50), report(0)]) == "▁▅█"
    assert sparkline([]) == ""
