"""Discovery: searching for agents on disk, and registering those that were found (SPEC R10)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from app.access import OPERATOR
from app.context import broker
from app.json_document import answer
from app.rest.operation import operation
from app.schemas.discovery import (
    REGISTER_DISCOVERED,
    DiscoveryView,
    RegisteredIdsView,
    ScanView,
    report_view,
)
from broker.kernel.ids import AgentId

discovery = APIBlueprint("discovery", __name__)


@discovery.get("/discovery")
@operation("getDiscovery", access=OPERATOR, answers={200: DiscoveryView})
def reports() -> Response:
    """Show what the last search on each machine found, what changed, and what is gone."""
    return answer(DiscoveryView(reports=[report_view(one) for one in broker().discovery.reports()]))


@discovery.post("/discovery/scan")
@operation("scanForAgents", access=OPERATOR, answers={202: ScanView})
def scan() -> Response:
    """Have the configured directories searched; the report follows under `GET /discovery`."""
    broker().discovery.ask_for_scan()
    return answer(ScanView(status="asked"), 202)


@discovery.post("/discovery/register")
@operation(
    "registerDiscovered",
    access=OPERATOR,
    body=REGISTER_DISCOVERED,
    optional=True,
    example={"ids": ["reviewer"]},
    answers={200: RegisteredIdsView},
    errors=("discovery_not_found",),
)
def register(body: tuple[AgentId, ...] | None) -> Response:
    """Register agents that were found; what an agent has set itself stays as it is."""
    return answer(RegisteredIdsView(registered=list(broker().discovery.register(body))))
