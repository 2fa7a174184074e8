"""Every check, in the order of causes: the first that fails is where to begin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from waystation.cli.diagnosis import agent_checks, configuration_checks, station_checks, way_checks
from waystation.cli.diagnosis.finding import Finding
from waystation.cli.diagnosis.observed import Observed

Check = Callable[[Observed], Finding | None]
"""A function of what was seen; None where it does not apply."""

CHECKS: Final[tuple[Check, ...]] = (
    configuration_checks.python,
    configuration_checks.configuration,
    configuration_checks.origins,
    configuration_checks.secrets,
    way_checks.proxy,
    way_checks.address,
    way_checks.connection,
    way_checks.certificate,
    station_checks.station,
    station_checks.version,
    station_checks.readiness,
    station_checks.clock,
    station_checks.token,
    agent_checks.agent,
    agent_checks.inbox,
    agent_checks.dead_letters,
    agent_checks.webhook,
    station_checks.websocket,
    station_checks.round_trip,
    configuration_checks.mcp,
    configuration_checks.clients,
)


def diagnose(observed: Observed) -> list[Finding]:
    """What every check that applies says."""
    return [finding for check in CHECKS if (finding := check(observed)) is not None]
