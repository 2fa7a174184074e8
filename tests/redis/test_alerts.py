"""Alerts as messages: once when raised, once when resolved, whoever checks and how often."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from broker.kernel.errors import InboxFullError, InvalidFieldsError, StorageUnavailableError
from broker.kernel.ids import AgentId
from broker.messaging.delivery import Wanted
from broker.messaging.message import Draft, Message
from broker.operations.alerts import Alerts
from broker.operations.health import Condition, Measure, Severity
from broker.operations.processes import Role
from broker.operations.store import OperationsStore, PresencePolicy
from broker.operations.thresholds import Thresholds
from broker.wiring import Broker
from tests.conftest import MakeBroker

pytestmark = pytest.mark.redis

USER = AgentId("user")
AT_ONCE = Thresholds(resolve_after_seconds=0)
LATENCY = Condition(measure=Measure.LATENCY, severity=Severity.WARNING, value=7.5, limit=5)
POOR = Condition(measure=Measure.SCORE, severity=Severity.WARNING, value=70, limit=75)
BAD = Condition(measure=Measure.SCORE, severity=Severity.CRITICAL, value=40, limit=50)


def alerts_of(broker: Broker, send: Callable[[Draft], object] | None = None) -> Alerts:
    policy = PresencePolicy(stale_after_ms=90_000, offline_after_ms=300_000, max_depth=10_000)
    return Alerts(OperationsStore(broker.redis, broker.keys, policy), send or broker.queue.send)


def messages(broker: Broker) -> list[Message]:
    broker.router.drain()
    return [one.message for one in broker.inboxes.peek(USER, Wanted(limit=100))]


def told(broker: Broker) -> list[tuple[str, str, str]]:
    found = [json.loads(message.payload or b"") for message in messages(broker)]
    return sorted((one["alert"], one["severity"], one["state"]) for one in found)


def everybody_works(broker: Broker) -> None:
    for role in Role:
        broker.processes.beat(broker.processes.heartbeat(role).process)


def test_a_condition_is_told_once_and_its_end_once(broker: Broker) -> None:
    alerts = alerts_of(broker)

    alerts.update([LATENCY], AT_ONCE)
    alerts.update([LATENCY], AT_ONCE)
    raised = told(broker)
    standing = alerts.standing()
    alerts.update([], AT_ONCE)
    alerts.update([], AT_ONCE)

    assert raised == [("latency_seconds", "warning", "raised")]
    assert [alert.measure for alert in standing] == ["latency_seconds"]
    assert told(broker) == [*raised, ("latency_seconds", "warning", "resolved")]
    assert alerts.standing() == []


def test_the_message_says_what_is_wrong_and_how_urgent_it_is(broker: Broker) -> None:
    alerts_of(broker).update([BAD], AT_ONCE)

    message = messages(broker)[0]

    assert (message.sender, message.to, message.kind) == ("system", ("user",), "alert")
    assert message.priority == 9
    assert message.subject == "Critical: health score 40, below 50"
    payload: dict[str, Any] = json.loads(message.payload or b"")
    assert payload["value"] == 40
    assert payload["threshold"] == 50


def test_an_alert_stands_until_its_condition_has_been_over_for_a_while(broker: Broker) -> None:
    alerts = alerts_of(broker)
    alerts.update([LATENCY], Thresholds())

    alerts.update([], Thresholds())

    assert told(broker) == [("latency_seconds", "warning", "raised")]
    assert len(alerts.standing()) == 1


def test_it_is_told_again_when_it_gets_worse_but_not_when_it_gets_better(broker: Broker) -> None:
    alerts = alerts_of(broker)

    for condition in (POOR, BAD, POOR, BAD):
        alerts.update([condition], AT_ONCE)

    assert told(broker) == [("score", "critical", "raised"), ("score", "warning", "raised")]


def test_a_condition_that_comes_back_is_a_new_alert(broker: Broker) -> None:
    alerts = alerts_of(broker)

    for conditions in ([LATENCY], [], [LATENCY]):
        alerts.update(conditions, AT_ONCE)

    assert [state for _, _, state in told(broker)] == ["raised", "raised", "resolved"]


def test_who_checks_at_the_same_time_tells_once(make_broker: MakeBroker) -> None:
    brokers = [make_broker() for _ in range(6)]
    start = threading.Barrier(len(brokers))

    def check(broker: Broker) -> None:
        start.wait()
        for conditions in ([LATENCY, BAD], [LATENCY, BAD], [LATENCY]):
            alerts_of(broker).update(conditions, Thresholds())

    with ThreadPoolExecutor(len(brokers)) as pool:
        list(pool.map(check, brokers))

    assert told(brokers[0]) == [
        ("latency_seconds", "warning", "raised"),
        ("score", "critical", "raised"),
    ]


def test_a_checker_that_died_before_telling_leaves_it_to_the_next(broker: Broker) -> None:
    def dies(_: Draft) -> object:
        raise StorageUnavailableError("gone")

    with pytest.raises(StorageUnavailableError):
        alerts_of(broker, dies).update([LATENCY], AT_ONCE)

    alerts_of(broker).update([], AT_ONCE)
    alerts_of(broker).update([], AT_ONCE)

    assert [state for _, _, state in told(broker)] == ["raised", "resolved"]


def test_a_checker_that_died_after_sending_does_not_make_it_two(broker: Broker) -> None:
    def sends_and_dies(draft: Draft) -> object:
        broker.queue.send(draft)
        raise StorageUnavailableError("gone")

    with pytest.raises(StorageUnavailableError):
        alerts_of(broker, sends_and_dies).update([LATENCY], AT_ONCE)

    alerts_of(broker).update([LATENCY], AT_ONCE)

    assert [state for _, _, state in told(broker)] == ["raised"]


def test_a_full_inbox_puts_the_telling_off(broker: Broker) -> None:
    def is_full(_: Draft) -> object:
        raise InboxFullError("full")

    alerts_of(broker, is_full).update([LATENCY], AT_ONCE)
    assert told(broker) == []

    alerts_of(broker).update([LATENCY], AT_ONCE)
    assert [state for _, _, state in told(broker)] == ["raised"]


def test_an_idle_station_with_all_its_processes_scores_100_and_alerts_nobody(
    broker: Broker,
) -> None:
    everybody_works(broker)

    report = broker.health.check()

    assert report.score == 100
    assert report.conditions == ()
    assert told(broker) == []


def test_absent_agents_are_told_of(broker: Broker) -> None:
    everybody_works(broker)
    for number in range(10):
        broker.agents.register(AgentId(f"agent-{number}"), {})
    assert broker.health.check().score == 100
    for number in range(3):
        name = f"agent-{number}"
        partition = broker.keys.partition_for(name)
        broker.redis.command("ZREM", broker.keys.heartbeats(partition), name)

    report = broker.health.check()

    assert report.score == 94
    assert told(broker) == [("availability", "warning", "raised")]


def test_reports_are_kept_newest_first_and_paged(broker: Broker) -> None:
    taken = [broker.health.check() for _ in range(3)]

    first, cursor = broker.health.history(limit=2)
    rest, end = broker.health.history(limit=2, before=cursor)

    assert [report.at for report in [*first, *rest]] == [
        report.at for report in sorted(taken, key=lambda report: -report.at)
    ]
    assert first[0] == taken[-1]
    assert end is None


def test_thresholds_are_set_for_every_process_and_fall_back_to_defaults(
    make_broker: MakeBroker,
) -> None:
    one, other = make_broker(), make_broker()

    one.health.set_thresholds({"warning_availability": 0.5})
    assert other.health.thresholds() == Thresholds(warning_availability=0.5)

    one.health.set_thresholds({})
    assert other.health.thresholds() == Thresholds()


def test_bad_thresholds_change_nothing(broker: Broker) -> None:
    with pytest.raises(InvalidFieldsError):
        broker.health.set_thresholds({"warning_availability": 80})

    assert broker.health.thresholds() == Thresholds()
