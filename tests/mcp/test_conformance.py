"""The official conformance suite of the Model Context Protocol, at `waystation mcp`."""

import re
import sys
from pathlib import Path

import pytest

from tests.client.conftest import MakeName
from tests.mcp.npm import Desk
from tests.mcp.servers import http
from tests.process.stations import Station

pytestmark = pytest.mark.real_clients

BASELINE = Path(__file__).with_name("conformance-baseline.yml")

APPLY = {
    "completion-complete",
    "dns-rebinding-protection",
    "ping",
    "prompts-list",
    "resources-list",
    "resources-subscribe",
    "resources-unsubscribe",
    "server-initialize",
    "server-sse-multiple-streams",
    "tools-list",
}
"""What the suite can ask of a server that has none of the tools which the other scenarios call."""


def test_the_official_suite_passes_all_that_applies(
    station: Station, named: MakeName, desk: Desk
) -> None:
    with http(named("alice"), station.url) as served:
        outcome = desk.run(
            *("conformance", "server", "--url", served.url, "--suite", "all"),
            *("--expected-failures", str(BASELINE)),
        )

    assert outcome.status == 0, outcome
    assert set(re.findall(r"^✓ ([\w-]+): [1-9]", outcome.output, re.MULTILINE)) == APPLY, outcome


@pytest.mark.parametrize(
    "scenario",
    [
        "prompts-get-simple",
        "prompts-get-with-args",
        "resources-read-text",
        "resources-templates-read",
        "tools-call-error",
        "tools-call-simple-text",
        "tools-call-with-progress",
    ],
)
def test_with_the_tools_that_it_calls_the_suite_passes_more(
    station: Station, named: MakeName, desk: Desk, scenario: str
) -> None:
    program = (sys.executable, "-m", "tests.mcp.suite_server")

    with http(named("alice"), station.url, program=program) as served:
        outcome = desk.run(
            "conformance", "server", "--url", served.url, "--scenario", scenario, "--verbose"
        )

    assert outcome.status == 0, outcome
