"""Probes, metrics, numbers and health over HTTP."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from app.factory import create_app
from broker.kernel.ids import AgentId
from broker.operations.readiness import POOLS
from broker.wiring import build_broker
from config.settings import ROOT
from tests.conftest import MakeSettings
from tests.contract.conftest import Api

pytestmark = pytest.mark.contract

_NAME = re.compile(r"\bwaystation_[a-z_]+")


def beat(api: Api) -> None:
    for role in POOLS:
        api.broker.processes.beat(api.broker.processes.heartbeat(role).process)


def metrics(api: Api) -> dict[tuple[str, str], float]:
    """Every sample by its name and its one label's value."""
    text = api.client.get("/metrics").get_data(as_text=True)
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_liveness_needs_no_redis(settings: MakeSettings) -> None:
    away = settings(redis_url="redis://127.0.0.1:1/0", jobs_redis_url="redis://127.0.0.1:1/0")
    client = create_app(away, build_broker(away)).test_client()

    alive, ready, scraped = (client.get(path) for path in ("/health", "/health/ready", "/metrics"))

    assert (alive.status_code, alive.json) == (200, {"status": "alive"})
    assert ready.status_code == 503
    assert ready.get_json()["code"] == "not_ready"
    assert {"redis", "jobs"} <= {error["field"] for error in ready.get_json()["errors"]}
    assert scraped.status_code == 200
    assert "waystation_redis_up 0.0" in scraped.get_data(as_text=True)


def test_readiness_names_every_missing_part(api: Api) -> None:
    before = api.client.get("/health/ready")
    beat(api)
    after = api.client.get("/health/ready")

    assert before.status_code == 503
    assert before.headers["Retry-After"] == "1"
    assert {error["field"] for error in before.get_json()["errors"]} == set(POOLS)
    assert after.status_code == 200
    assert after.get_json()["status"] == "ready"
    assert {part["status"] for part in after.get_json()["parts"]} == {"ok"}


def test_stats_show_depth_states_rates_latency_and_age(api: Api) -> None:
    api.broker.stats.sample()
    for _ in range(5):
        api.send()
    message_id, lease = api.fetch_one()
    api.post(f"/messages/{message_id}/ack", lease)

    stats: dict[str, Any] = api.get("/stats").get_json()

    assert stats["states"]["queued"] == 4
    assert stats["states"]["acknowledged"] == 1
    assert stats["depth"]["total"] == 4
    assert stats["depth"]["deepest"][0]["agent_id"] == "bob"
    assert stats["totals"]["message.accepted"] == 5
    assert stats["rates"]["accepted_per_second"] > 0
    assert stats["latency_ms"]["count"] == 1
    assert stats["latency_ms"]["p99"] > 0
    assert stats["oldest_age_seconds"]["queued"] > 0
    assert stats["agents"] == {"online": 2, "stale": 0, "offline": 0}


def test_the_number_of_inboxes_shown_is_asked_for(api: Api) -> None:
    api.send(to=["alice", "bob"])

    assert len(api.get("/stats", inboxes=1).get_json()["depth"]["deepest"]) == 1
    assert api.get("/stats", inboxes=-1).status_code == 422
    assert api.get("/stats", inbox=1).status_code == 422


def test_a_fresh_station_has_the_best_score_and_no_alert(api: Api) -> None:
    beat(api)

    health: dict[str, Any] = api.get("/health/score").get_json()

    assert health["score"] == 100
    assert health["conditions"] == health["alerts"] == []
    assert set(health["parts"]) == {"agents", "latency", "errors", "depth", "workers"}


def test_an_alert_is_shown_and_reaches_the_user(api: Api) -> None:
    beat(api)
    for name in ("alice", "bob"):
        heartbeats = api.broker.keys.heartbeats(api.broker.keys.partition_for(name))
        api.broker.redis.command("ZREM", heartbeats, name)

    api.broker.health.check()
    api.broker.router.drain()

    (alert,) = api.get("/health/score").get_json()["alerts"]
    (message,) = api.fetch(AgentId("user"))
    assert (alert["alert"], alert["severity"], alert["threshold"]) == (
        "availability",
        "warning",
        0.8,
    )
    assert (message["from"], message["kind"]) == ("system", "alert")
    assert message["payload"]["since"] == alert["since"]


def test_history_is_paged_newest_first(api: Api) -> None:
    for _ in range(3):
        api.broker.health.check()

    first: dict[str, Any] = api.get("/health/history", limit=2).get_json()
    rest: dict[str, Any] = api.get("/health/history", cursor=first["cursor"]).get_json()

    times = [report["at"] for report in (*first["reports"], *rest["reports"])]
    assert len(times) == 3
    assert times == sorted(times, reverse=True)
    assert rest["cursor"] is None


def test_thresholds_are_set_at_run_time(api: Api) -> None:
    assert api.get("/health/thresholds").get_json()["warning_latency_seconds"] == 5

    changed = api.call("PUT", "/health/thresholds", json={"warning_latency_seconds": 2.5})

    assert changed.status_code == 200
    assert api.get("/health/thresholds").get_json()["warning_latency_seconds"] == 2.5


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ({"warning_score": 101}, ["warning_score"]),
        ({"warning_score": "75"}, ["warning_score"]),
        ({"warning_score": True}, ["warning_score"]),
        ({"critical_score": 80, "warning_score": 70}, ["critical_score"]),
        ({"window_seconds": 0, "nonsense": 1}, ["nonsense", "window_seconds"]),
    ],
)
def test_bad_thresholds_are_refused_with_every_field(
    api: Api, document: dict[str, object], fields: list[str]
) -> None:
    refused = api.call("PUT", "/health/thresholds", json=document)

    assert refused.status_code == 422
    assert sorted(error["field"] for error in refused.get_json()["errors"]) == fields


def test_metrics_tell_what_redis_knows(api: Api) -> None:
    beat(api)
    for _ in range(3):
        api.send()
    api.fetch(limit=1)

    measured = metrics(api)

    assert measured["waystation_messages", "queued"] == 2
    assert measured["waystation_messages", "leased"] == 1
    assert measured["waystation_events_total", "message.accepted"] == 3
    assert measured["waystation_delivery_latency_seconds_count", ""] == 1
    assert measured["waystation_delivery_latency_seconds_bucket", "+Inf"] == 1
    assert measured["waystation_processes", "routing"] == 1
    assert measured["waystation_health_score", ""] == 100
    assert measured["waystation_redis_up", ""] == 1


def test_no_metric_carries_an_agent_or_a_message(api: Api) -> None:
    message_id = api.send()
    api.get(f"/messages/{message_id}")
    api.client.get("/no/such/path/at-all")

    text = api.client.get("/metrics").get_data(as_text=True)

    assert message_id not in text
    assert "bob" not in text
    assert "at-all" not in text
    assert 'route="/api/v1/messages/' in text
    assert 'route="unmatched"' in text


def test_scrapers_that_speak_openmetrics_get_it(api: Api) -> None:
    scraped = api.client.get(
        "/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"}
    )

    assert scraped.content_type.startswith("application/openmetrics-text")
    assert scraped.get_data(as_text=True).endswith("# EOF\n")


def _expressions() -> Iterator[str]:
    rules = yaml.safe_load((ROOT / "config/prometheus/alerts.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]
    dashboard = json.loads((ROOT / "config/grafana/waystation.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_rules_and_dashboard_ask_only_for_metrics_that_exist(api: Api) -> None:
    beat(api)
    api.get("/stats")
    offered = {name for name, _ in metrics(api)}

    asked = {name for expression in _expressions() for name in _NAME.findall(expression)}

    assert len(asked) > 15
    assert asked <= offered


def test_rules_and_dashboard_ask_only_for_events_that_the_scripts_record() -> None:
    scripts = "".join(path.read_text() for path in (ROOT / "broker").glob("**/*.lua"))
    named = {
        f"delivery.{one}"
        for expression in _expressions()
        for found in re.findall(r'event=~?"([^"]+)"', expression)
        for one in re.findall(r"[a-z]+", found.replace("delivery", ""))
        if "delivery" in found
    }

    assert named
    for event in named:
        assert event in scripts or f"'{event.removeprefix('delivery.')}'" in scripts, event


def test_prometheus_reads_the_rules_that_are_there() -> None:
    folder = ROOT / "config/prometheus"
    settings = yaml.safe_load((folder / "prometheus.yml").read_text())

    assert [(folder / name).is_file() for name in settings["rule_files"]] == [True]
