"""What the doctor says of what was seen, where a real fault is hard to make."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest

from waystation.answers import AgentProfile, Breaker, Principal, Webhook
from waystation.cli import diagnosis, main
from waystation.cli.diagnosis import agent_checks, diagnose, station_checks, way_checks
from waystation.cli.diagnosis.finding import Finding, Verdict
from waystation.cli.diagnosis.observed import (
    Answerer,
    Machine,
    Named,
    Observed,
    Settings,
    Trial,
    Way,
)
from waystation.configuration import Configuration

pytestmark = pytest.mark.unit

NOW = datetime(2026, 11, 21, tzinfo=UTC)

ANSWERER = Answerer(
    is_station=True,
    said="",
    version="0.1.0",
    answer_ms=3,
    skew_seconds=0.2,
    asks_for_tokens=True,
    not_ready=None,
)

PROFILE = AgentProfile(
    capabilities=[],
    cwd=None,
    epoch=0,
    id="bob",
    kind="agent",
    label=None,
    last_seen=NOW,
    machine=None,
    meta={},
    name=None,
    on_full=None,
    operating_mode=None,
    parent=None,
    queue_max_depth=None,
    ready=True,
    registered_at=NOW,
    reported_status=None,
    status="online",
    tags=[],
    transport="pull",
)

WEBHOOK = Webhook(
    agent_id="bob",
    breaker=Breaker(failures=0, retry_at=None, state="closed"),
    changed_at=NOW,
    created_at=NOW,
    disabled_at=None,
    disabled_because=None,
    headers=[],
    last_failure=None,
    last_failure_at=None,
    last_success_at=None,
    old_secret_until=None,
    secret_rotated_at=None,
    status="active",
    timeout_seconds=10,
    url="https://example.org/hook",
)

SEEN = Observed(
    machine=Machine(
        python="3.11.7", client="0.1.0", mcp=None, checkout=None, runs_here=False, data_dir=None
    ),
    settings=Settings(
        path=Path("config.toml"),
        exists=False,
        error=None,
        configuration=Configuration(agent="bob", token="t"),
        token_mode=None,
    ),
    way=Way(host="127.0.0.1", port=8080, is_local=True, addresses=("127.0.0.1",), connect_ms=1),
    answerer=ANSWERER,
    caller=Principal(
        expires_at=None, is_admin=False, is_operator=False, name="key:bob", scopes=["agent:bob"]
    ),
    named=Named(profile=PROFILE, waiting=0, dead_letters=0, webhook=WEBHOOK),
    websocket=Trial(took_ms=3),
    round_trip=Trial(took_ms=30),
    now=NOW,
)


def said(finding: Finding | None) -> Finding:
    assert finding is not None
    return finding


def test_where_all_is_well_nothing_is_to_be_mended() -> None:
    findings = diagnose(SEEN)

    assert {one.name for one in findings if one.verdict is not Verdict.OK} == {"mcp"}
    assert "webhook" in {one.name for one in findings}


def test_every_command_that_mends_something_exists() -> None:
    sources = Path(diagnosis.__file__).parent.glob("*.py")
    text = " ".join(re.sub(r'"\n\s*f?"', "", source.read_text()) for source in sources)
    named = set(re.findall(r"waystation ([a-z-]+)(?: ([a-z][a-z-]+)(?=[ `]))?", text))
    assert {("keys", "create"), ("inbox", ""), ("agents", "register")} <= named

    for name, subcommand in named:
        command = main.get_command(click.Context(main), name)
        assert command is not None, name
        if isinstance(command, click.Group):
            assert subcommand in command.commands, (name, subcommand)


def test_a_station_of_another_version_is_a_warning() -> None:
    seen = replace(SEEN, answerer=replace(ANSWERER, version="0.2.3"))
    patched = replace(SEEN, answerer=replace(ANSWERER, version="0.1.9"))

    assert said(station_checks.version(seen)).verdict is Verdict.WARNING
    assert said(station_checks.version(patched)).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("skew", "verdict", "words"),
    [
        (4.9, Verdict.OK, "agrees"),
        (5.1, Verdict.WARNING, "5 s ahead of"),
        (-3600.0, Verdict.WARNING, "3600 s behind"),
    ],
)
def test_clocks_may_differ_by_five_seconds(skew: float, verdict: Verdict, words: str) -> None:
    finding = said(
        station_checks.clock(replace(SEEN, answerer=replace(ANSWERER, skew_seconds=skew)))
    )

    assert finding.verdict is verdict
    assert words in finding.seen


def test_a_token_that_ends_soon_is_a_warning() -> None:
    assert isinstance(SEEN.caller, Principal)
    ending = Principal(
        expires_at=NOW + timedelta(days=1),
        is_admin=False,
        is_operator=False,
        name="key:bob",
        scopes=["agent:bob"],
    )

    assert said(station_checks.token(replace(SEEN, caller=ending))).verdict is Verdict.WARNING


def test_a_certificate_that_ends_soon_is_a_warning() -> None:
    assert SEEN.way is not None

    def of(days: int) -> Verdict:
        assert SEEN.way is not None
        way = replace(SEEN.way, tls_ends_at=NOW + timedelta(days=days))
        return said(way_checks.certificate(replace(SEEN, way=way))).verdict

    assert (of(13), of(14)) == (Verdict.WARNING, Verdict.OK)


def test_messages_that_wait_for_nobody_are_a_warning() -> None:
    offline = Named(
        profile=AgentProfile(
            **{name: getattr(PROFILE, name) for name in PROFILE.__struct_fields__}
            | {"status": "offline"}
        ),
        waiting=100,
        oldest_seconds=90,
    )

    read = said(agent_checks.inbox(replace(SEEN, named=replace(offline, profile=PROFILE))))
    unread = said(agent_checks.inbox(replace(SEEN, named=offline)))

    assert read.verdict is Verdict.OK
    assert unread.verdict is Verdict.WARNING
    assert unread.seen.startswith("100 or more wait, the oldest for 90 s")


@pytest.mark.parametrize(
    "broken",
    [
        {"status": "disabled", "disabled_because": "410 Gone"},
        {"breaker": Breaker(failures=5, retry_at=NOW, state="open"), "last_failure": "500"},
    ],
)
def test_a_webhook_that_is_not_tried_is_a_problem(broken: dict[str, object]) -> None:
    fields = {name: getattr(WEBHOOK, name) for name in WEBHOOK.__struct_fields__}
    hook = Webhook(**fields | broken)

    finding = said(agent_checks.webhook(replace(SEEN, named=Named(profile=PROFILE, webhook=hook))))

    assert finding.verdict is Verdict.PROBLEM


def test_a_message_that_another_consumer_took_went_all_the_way() -> None:
    seen = replace(SEEN, round_trip=Trial(taken_by_another=True))

    assert said(station_checks.round_trip(seen)).verdict is Verdict.OK


def test_a_message_that_does_not_arrive_is_a_problem() -> None:
    seen = replace(SEEN, round_trip=Trial(error="did not arrive"))

    assert said(station_checks.round_trip(seen)).verdict is Verdict.PROBLEM


def test_where_a_station_runs_at_another_port_that_is_said() -> None:
    machine = replace(SEEN.machine, runs_here=True, data_dir=Path("/srv/var"))
    assert SEEN.way is not None
    seen = replace(SEEN, machine=machine, way=replace(SEEN.way, connect_error="refused"))

    assert "/srv/var" in str(said(way_checks.connection(seen)).mend)
