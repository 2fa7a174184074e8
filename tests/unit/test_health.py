import dataclasses
from typing import Any

import pytest

from broker.kernel.errors import InvalidFieldsError
from broker.operations.health import WEIGHTS, Measure, Severity, Vitals, assess
from broker.operations.thresholds import LIMITS, Thresholds, thresholds_from

pytestmark = pytest.mark.unit

IDLE = Vitals(
    agents=0,
    agents_online=0,
    error_rate=0.0,
    finished=0,
    latency_p95_ms=None,
    observed=0,
    fullness=0.0,
    pools=5,
    pools_alive=5,
)


def vitals(**changes: Any) -> Vitals:
    return dataclasses.replace(IDLE, **changes)


def conditions(measured: Vitals) -> set[tuple[Measure, Severity]]:
    found = assess(0, measured, Thresholds()).conditions
    return {(condition.measure, condition.severity) for condition in found}


def test_an_idle_fresh_station_is_perfectly_healthy() -> None:
    report = assess(7, IDLE, Thresholds())

    assert report.at == 7
    assert report.score == 100
    assert report.conditions == ()
    assert {part.score for part in report.parts.values()} == {100}


def test_every_part_has_its_weight() -> None:
    parts = assess(0, IDLE, Thresholds()).parts

    assert {name: part.weight for name, part in parts.items()} == dict(WEIGHTS)


@pytest.mark.parametrize(
    ("part", "measured", "score"),
    [
        ("agents", {"agents": 4, "agents_online": 4}, 100),
        ("agents", {"agents": 4, "agents_online": 3}, 75),
        ("agents", {"agents": 4, "agents_online": 0}, 0),
        ("latency", {"latency_p95_ms": 1000, "observed": 20}, 100),
        ("latency", {"latency_p95_ms": 5500, "observed": 20}, 50),
        ("latency", {"latency_p95_ms": 10_000, "observed": 20}, 0),
        ("latency", {"latency_p95_ms": 3_600_000, "observed": 20}, 0),
        ("latency", {"latency_p95_ms": 3_600_000, "observed": 19}, 100),
        ("errors", {"error_rate": 0.1, "finished": 20}, 50),
        ("errors", {"error_rate": 0.2, "finished": 20}, 0),
        ("errors", {"error_rate": 1.0, "finished": 20}, 0),
        ("errors", {"error_rate": 1.0, "finished": 19}, 100),
        ("depth", {"fullness": 0.5}, 100),
        ("depth", {"fullness": 0.75}, 50),
        ("depth", {"fullness": 1.0}, 0),
        ("depth", {"fullness": 1.7}, 0),
        ("workers", {"pools_alive": 4}, 80),
        ("workers", {"pools_alive": 0}, 0),
        ("workers", {"pools": 0, "pools_alive": 0}, 100),
    ],
)
def test_parts_are_scored(part: str, measured: dict[str, Any], score: float) -> None:
    report = assess(0, vitals(**measured), Thresholds())

    assert report.parts[part].score == score
    lost = (100 - score) * WEIGHTS[part] / sum(WEIGHTS.values())
    assert report.score == pytest.approx(100 - lost, abs=0.05)


def test_the_worst_station_scores_zero() -> None:
    worst = vitals(
        agents=1,
        error_rate=1.0,
        finished=100,
        latency_p95_ms=60_000,
        observed=100,
        fullness=1.0,
        pools_alive=0,
    )

    assert assess(0, worst, Thresholds()).score == 0


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ({}, set()),
        ({"error_rate": 0.10, "finished": 100}, set()),
        ({"error_rate": 0.11, "finished": 100}, {(Measure.ERROR_RATE, Severity.CRITICAL)}),
        ({"error_rate": 1.0, "finished": 3}, set()),
        ({"latency_p95_ms": 5000, "observed": 100}, set()),
        ({"latency_p95_ms": 5001, "observed": 100}, {(Measure.LATENCY, Severity.WARNING)}),
        ({"latency_p95_ms": 60_000, "observed": 3}, set()),
        ({"agents": 10, "agents_online": 8}, set()),
        ({"agents": 10, "agents_online": 7}, {(Measure.AVAILABILITY, Severity.WARNING)}),
        ({"pools_alive": 0}, set()),
        ({"pools_alive": 0, "fullness": 0.55}, {(Measure.SCORE, Severity.WARNING)}),
        (
            {"pools_alive": 0, "agents": 1, "fullness": 0.75},
            {(Measure.SCORE, Severity.WARNING), (Measure.AVAILABILITY, Severity.WARNING)},
        ),
        (
            {"pools_alive": 0, "agents": 1, "fullness": 0.8},
            {(Measure.SCORE, Severity.CRITICAL), (Measure.AVAILABILITY, Severity.WARNING)},
        ),
    ],
)
def test_alert_conditions(
    measured: dict[str, Any], expected: set[tuple[Measure, Severity]]
) -> None:
    assert conditions(vitals(**measured)) == expected


def test_changed_thresholds_decide() -> None:
    thresholds = thresholds_from({"critical_score": 90, "warning_score": 95})

    report = assess(0, vitals(pools_alive=2), thresholds)

    assert report.conditions[0].severity is Severity.CRITICAL
    assert report.conditions[0].limit == 90


def test_every_threshold_has_limits_that_its_default_keeps() -> None:
    assert set(LIMITS) == {field.name for field in dataclasses.fields(Thresholds)}
    assert thresholds_from({}) == Thresholds()


def test_all_bad_thresholds_are_named_at_once() -> None:
    with pytest.raises(InvalidFieldsError) as refused:
        thresholds_from(
            {"critical_error_rate": 1.5, "window_seconds": float("nan"), "warning_score": 10}
        )

    assert {problem.field for problem in refused.value.problems} == {
        "critical_error_rate",
        "window_seconds",
        "critical_score",
    }
