"""Alerts as messages: told once when they are raised and once when they are resolved (SPEC O2).

The conditions are noted in Redis first; then every step that nobody has told of is sent, and noted
as told. Who is stopped between repeats the sending, and two that check at once both send: the
idempotency key of the step makes one message of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from broker.kernel.clock import rfc3339, seconds_to_ms
from broker.kernel.errors import InboxFullError
from broker.kernel.ids import AgentId
from broker.kernel.priority import HIGH, URGENT
from broker.messaging.message import Draft
from broker.operations.health import Condition, Measure, Severity
from broker.operations.store import OperationsStore, StoredAlert
from broker.operations.thresholds import Thresholds

KIND: Final = "alert"

_SYSTEM: Final = AgentId("system")
_USER: Final = AgentId("user")
_PRIORITIES: Final = {Severity.CRITICAL: URGENT, Severity.WARNING: HIGH}
_RESOLVING: Final = "resolving"

_log = structlog.get_logger(__name__)


class Alerts:
    """Tells the user what stands, and when it is over."""

    def __init__(self, store: OperationsStore, send: Callable[[Draft], object]) -> None:
        self._store = store
        self._send = send

    def update(self, conditions: Sequence[Condition], thresholds: Thresholds) -> None:
        """Note the conditions and tell what changed. Safe to repeat and to run twice at once."""
        untold = self._store.note_conditions(
            [
                (condition.measure, condition.severity, condition.value, condition.limit)
                for condition in conditions
            ],
            seconds_to_ms(thresholds.resolve_after_seconds),
        )
        for alert in untold:
            try:
                self._send(alert_message(alert))
            except InboxFullError as error:
                # The next check tries again; the alert can be seen at its endpoint meanwhile.
                _log.warning("alert.not_told", measure=alert.measure, error=error.detail)
                continue
            if self._store.note_told(alert):
                _log.warning("alert.told", measure=alert.measure, stage=alert.stage)

    def standing(self) -> list[StoredAlert]:
        """The alerts that were raised and are not over."""
        return [alert for alert in self._store.alerts() if alert.stage != _RESOLVING]


def alert_message(alert: StoredAlert) -> Draft:
    """The message of one step: the same for everybody who tells it."""
    resolved = alert.stage == _RESOLVING
    state = "resolved" if resolved else "raised"
    severity, measure = Severity(alert.severity), Measure(alert.measure)
    sentence = _sentence(measure, alert)
    return Draft(
        sender=_SYSTEM,
        to=(_USER,),
        kind=KIND,
        subject=f"{'Resolved' if resolved else severity.capitalize()}: {sentence}",
        body=(
            f"It is over: {sentence}. It stood since {rfc3339(alert.since)}."
            if resolved
            else f"{severity.capitalize()} since {rfc3339(alert.since)}: {sentence}."
        ),
        payload=json.dumps(
            {
                "alert": measure,
                "severity": severity,
                "state": state,
                "value": alert.value,
                "threshold": alert.limit,
                "since": rfc3339(alert.since),
            },
            separators=(",", ":"),
        ).encode(),
        priority=_PRIORITIES[Severity.WARNING if resolved else severity],
        correlation_id=f"alert:{measure}:{alert.since}",
        idempotency_key=f"alert:{measure}:{alert.since}:{severity}:{state}",
    )


def _sentence(measure: Measure, alert: StoredAlert) -> str:
    match measure:
        case Measure.SCORE:
            return f"health score {alert.value:g}, below {alert.limit:g}"
        case Measure.ERROR_RATE:
            return f"{alert.value:.1%} of the deliveries failed, more than {alert.limit:.1%}"
        case Measure.LATENCY:
            return f"delivery takes {alert.value:.1f} s (95th percentile), over {alert.limit:g} s"
        case Measure.AVAILABILITY:
            return f"{alert.value:.0%} of the agents are online, less than {alert.limit:.0%}"
