"""Discovery: what was found on disk, and which of it to register (SPEC R10)."""

from __future__ import annotations

from typing import Any, Final, TypedDict

from marshmallow import ValidationError

from app.schemas.kinds import Kind
from app.schemas.shape import Shape
from broker.directory.discovery.report import Discovered, Report
from broker.kernel.clock import rfc3339
from broker.kernel.ids import AGENT_ID_PATTERN, AgentId
from broker.messaging.wire import Timestamp

_MAX_IDS: Final = 1000


class _AgentIds(Kind[tuple[AgentId, ...]]):
    """A list of agents' ids."""

    def __init__(self) -> None:
        item = {"type": "string", "pattern": AGENT_ID_PATTERN}
        super().__init__({"type": "array", "items": item, "minItems": 1, "maxItems": _MAX_IDS})

    def _deserialize(self, value: object, *_: object, **__: object) -> tuple[AgentId, ...]:
        if not isinstance(value, list) or not 1 <= len(value) <= _MAX_IDS:
            raise ValidationError(f"must be a list of 1 to {_MAX_IDS} agent ids")
        if not all(isinstance(item, str) for item in value):
            raise ValidationError("must hold texts only")
        return tuple(AgentId(item) for item in value)


class RegisterDiscoveredShape(Shape[tuple[AgentId, ...] | None]):
    """Which of the agents that were found; all where nothing is said."""

    ids = _AgentIds()

    def build(self, values: dict[str, Any]) -> tuple[AgentId, ...] | None:
        """The ids, None for all."""
        ids: tuple[AgentId, ...] | None = values.get("ids")
        return ids


class DiscoveredView(TypedDict):
    """An agent that was found in a directory; its role becomes its label."""

    id: str
    change: str
    name: str
    role: str | None
    capabilities: list[str]
    tags: list[str]
    cwd: str
    branch: str | None
    sources: list[str]


class ObstacleView(TypedDict):
    """What could not be looked at, and why."""

    path: str
    reason: str


class DiscoveryReportView(TypedDict):
    """What the last search on a machine found; if it is not complete, nothing counts as gone."""

    machine: str
    scanned_at: Timestamp
    complete: bool
    found: list[DiscoveredView]
    gone: list[DiscoveredView]
    obstacles: list[ObstacleView]


class DiscoveryView(TypedDict):
    """The last report of each machine."""

    reports: list[DiscoveryReportView]


class ScanView(TypedDict):
    """A search was asked for."""

    status: str


class RegisteredIdsView(TypedDict):
    """Which agents are registered now."""

    registered: list[str]


def report_view(one: Report) -> DiscoveryReportView:
    """A report as operators see it."""
    return {
        "machine": one.machine,
        "scanned_at": rfc3339(one.scanned_at),
        "complete": one.complete,
        "found": [_discovered(each) for each in one.found],
        "gone": [_discovered(each) for each in one.gone],
        "obstacles": [{"path": each.path, "reason": each.reason} for each in one.obstacles],
    }


def _discovered(one: Discovered) -> DiscoveredView:
    return {
        "id": one.id,
        "change": one.change,
        "name": one.name,
        "role": one.role,
        "capabilities": list(one.capabilities),
        "tags": list(one.tags),
        "cwd": one.cwd,
        "branch": one.branch,
        "sources": list(one.sources),
    }


REGISTER_DISCOVERED: Final = RegisterDiscoveredShape()
