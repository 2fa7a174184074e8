"""Agents that are found on disk (SPEC R10): real directories, a real register."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from broker.directory.agents import Agent
from broker.directory.discovery.discovery import Discovery, NoSuchDiscoveryError
from broker.directory.discovery.report import Report
from broker.directory.discovery.walk import Limits, walk
from broker.kernel.ids import AgentId
from broker.wiring import Broker
from tests.conftest import MakeBroker

pytestmark = pytest.mark.redis


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def station(make_broker: MakeBroker, tmp_path: Path) -> Callable[..., Broker]:
    """A broker that searches the test's directory."""

    def make(mode: str = "report") -> Broker:
        return make_broker(discovery_roots=(tmp_path,), discovery_mode=mode)

    return make


def found_in(report: Report) -> dict[str, str]:
    return {one.id: one.change for one in report.found}


def agent(broker: Broker, name: str) -> Agent:
    return broker.agents.get(AgentId(name))


# --- the walk ---------------------------------------------------------------------------------


def test_worktrees_and_described_directories_are_found(tmp_path: Path) -> None:
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@t", "-C", str(tmp_path / "repo"))
    subprocess.run(["git", "init", "-q", "-b", "main", str(tmp_path / "repo")], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    linked = tmp_path / "trees" / "feature"
    subprocess.run([*git, "worktree", "add", "-q", str(linked), "-b", "fix/login"], check=True)
    write(tmp_path / "repo" / "api" / "CLAUDE.md", "# API\nRole: backend\n")

    places = {place.path: place for place in walk((tmp_path,)).places}

    assert {path: place.branch for path, place in places.items()} == {
        str(tmp_path / "repo"): "main",
        str(tmp_path / "repo" / "api"): None,
        str(linked): "fix/login",
    }
    assert places[str(tmp_path / "repo" / "api")].description.role == "backend"


def test_what_both_files_say_is_joined(tmp_path: Path) -> None:
    write(tmp_path / "AGENTS.md", "---\nname: Reviewer\n---\n")
    write(tmp_path / "CLAUDE.md", "---\nname: Other\nrole: reviewer\n---\n")

    (place,) = walk((tmp_path,)).places

    assert place.sources == ("AGENTS.md", "CLAUDE.md")
    assert (place.description.name, place.description.role) == ("Reviewer", "reviewer")


def test_links_pipes_and_large_files_are_no_trap(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "CLAUDE.md", "# Outside\n").parent
    root = tmp_path / "root"
    write(root / "good" / "CLAUDE.md", "# Good\n")
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "away").symlink_to(outside, target_is_directory=True)
    (root / "linked").mkdir()
    (root / "linked" / "CLAUDE.md").symlink_to("/etc/passwd")
    (root / "pipe").mkdir()
    os.mkfifo(root / "pipe" / "AGENTS.md")
    with write(root / "large" / "CLAUDE.md", "# Large\n").open("r+b") as large:
        large.truncate(1 << 30)
    write(root / "binary" / "CLAUDE.md", "").write_bytes(b"\xff\xfe\x00")
    write(root / "hidden" / ".secret" / "CLAUDE.md", "# No\n")
    write(root / "node_modules" / "x" / "CLAUDE.md", "# No\n")

    findings = walk((root,))

    assert [Path(place.path).name for place in findings.places] == ["good"]
    assert findings.complete
    assert {Path(one.path).parent.name for one in findings.obstacles} == {
        "linked",
        "pipe",
        "large",
        "binary",
    }


def test_a_directory_that_is_met_twice_is_entered_once(tmp_path: Path) -> None:
    write(tmp_path / "CLAUDE.md", "# One\n")

    findings = walk((tmp_path, tmp_path, tmp_path / "."))

    assert len(findings.places) == 1


def test_a_walk_ends_at_its_limits(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*(str(number) for number in range(9)))
    write(deep / "CLAUDE.md", "# Deep\n")
    for number in range(100):
        (tmp_path / f"d{number}").mkdir()

    assert walk((tmp_path,)).places == []
    assert not walk((tmp_path,), Limits(entries=50)).complete
    ticks = iter(range(1_000_000))
    assert not walk((tmp_path,), Limits(seconds=20), now=lambda: float(next(ticks))).complete


def test_a_root_that_is_not_there_is_an_obstacle(tmp_path: Path) -> None:
    findings = walk((tmp_path / "nowhere",))

    assert [one.path for one in findings.obstacles] == [str(tmp_path / "nowhere")]


# --- reports ----------------------------------------------------------------------------------


def test_a_report_says_what_is_new_changed_and_gone(
    station: Callable[..., Broker], tmp_path: Path
) -> None:
    discovery = station().discovery
    kept = write(tmp_path / "kept" / "CLAUDE.md", "# Kept\n")
    removed = write(tmp_path / "removed" / "CLAUDE.md", "# Removed\n")
    write(tmp_path / "same" / "CLAUDE.md", "# Same\n")

    first = discovery.scan()
    kept.write_text("# Kept\nRole: tester\n")
    removed.unlink()
    second = discovery.scan()

    assert found_in(first) == {"kept": "new", "removed": "new", "same": "new"}
    assert found_in(second) == {"kept": "changed", "same": "same"}
    assert [one.id for one in second.gone] == ["removed"]
    assert discovery.reports() == [second]


def test_nothing_counts_as_gone_in_a_search_that_ended_early(
    station: Callable[..., Broker], tmp_path: Path
) -> None:
    broker = station()
    write(tmp_path / "a" / "CLAUDE.md", "# A\n")
    whole = broker.discovery.scan()
    cut_short = Discovery(
        broker.redis,
        broker.keys,
        broker.agents,
        broker.discovery._errands,
        policy=broker.discovery._policy,
        clock=broker.discovery._clock,
        search=lambda roots: walk(roots, Limits(entries=0)),
    )

    report = cut_short.scan()

    assert not report.complete
    assert [one.id for one in report.found] == [one.id for one in whole.found]
    assert report.gone == ()


def test_two_that_want_one_id_both_get_another_and_keep_it(
    station: Callable[..., Broker], tmp_path: Path
) -> None:
    discovery = station().discovery
    write(tmp_path / "x" / "api" / "CLAUDE.md", "text\n")
    write(tmp_path / "y" / "api" / "CLAUDE.md", "text\n")

    first = discovery.scan()
    write(tmp_path / "z" / "api" / "CLAUDE.md", "text\n")
    second = discovery.scan()

    ids = {one.cwd: one.id for one in first.found}
    assert len(set(ids.values())) == 2
    assert all(identifier.startswith("api-") for identifier in ids.values())
    assert ids.items() <= {one.cwd: one.id for one in second.found}.items()


def test_an_id_of_another_agent_is_not_taken(
    station: Callable[..., Broker], tmp_path: Path
) -> None:
    broker = station()
    broker.agents.register(AgentId("api"), {"cwd": "/elsewhere"})
    write(tmp_path / "api" / "CLAUDE.md", "text\n")
    write(tmp_path / "user" / "CLAUDE.md", "text\n")
    write(tmp_path / "broadcast" / "CLAUDE.md", "text\n")

    report = broker.discovery.scan()

    assert not {"api", "user", "broadcast"} & found_in(report).keys()
    assert len(report.found) == 3


# --- registering ------------------------------------------------------------------------------


def test_a_report_alone_registers_nobody(station: Callable[..., Broker], tmp_path: Path) -> None:
    broker = station()
    write(tmp_path / "a" / "CLAUDE.md", "# A\n")

    broker.discovery.scan()

    assert broker.agents.known(AgentId("a")) is None


def test_who_is_registered_can_be_reached_and_is_offline_until_it_comes(
    station: Callable[..., Broker], tmp_path: Path
) -> None:
    broker = station()
    write(
        tmp_path / "rev" / "AGENTS.md",
        "---\nname: Rev\nrole: reviewer\ncapabilities: [python]\n---\n",
    )
    broker.discovery.scan()

    assert broker.discovery.register() == ["rev"]

    known = agent(broker, "rev")
    assert (known.profile.name, known.profile.label) == ("Rev", "reviewer")
    assert known.profile.capabilities == ("python",)
    assert known.profile.cwd == str(tmp_path / "rev")
    assert (known.presence, known.last_seen) == ("offline", 0)
    assert broker.stats.overview().snapshot.agents.offline == 0
    broker.agents.heartbeat(AgentId("rev"))
    assert agent(broker, "rev").presence == "online"


def test_what_an_agent_has_set_itself_stays(station: Callable[..., Broker], tmp_path: Path) -> None:
    broker = station("register")
    described = write(tmp_path / "a" / "CLAUDE.md", "# A\nRole: dev\nTags: one\n")
    broker.discovery.scan()
    broker.agents.patch(AgentId("a"), {"label": "lead"})

    described.write_text("# A two\nRole: tester\nTags: two\n")
    broker.discovery.scan()

    profile = agent(broker, "a").profile
    assert (profile.label, profile.name, profile.tags) == ("lead", "A two", ("two",))


def test_a_second_search_leaves_an_agent_that_has_not_changed_alone(
    station: Callable[..., Broker], tmp_path: Path
) -> None:
    broker = station("register")
    write(tmp_path / "a" / "CLAUDE.md", "# A\nCapabilities: x, y\n")
    broker.discovery.scan()
    before = broker.stats.overview().snapshot.totals["agent.registered"]

    broker.discovery.scan()

    assert broker.stats.overview().snapshot.totals["agent.registered"] == before


def test_only_what_was_found_can_be_registered(
    station: Callable[..., Broker], tmp_path: Path
) -> None:
    broker = station()
    write(tmp_path / "a" / "CLAUDE.md", "# A\n")
    broker.discovery.scan()

    with pytest.raises(NoSuchDiscoveryError):
        broker.discovery.register([AgentId("b")])


def test_to_change_an_agent_is_no_sign_of_its_life(
    station: Callable[..., Broker], tmp_path: Path
) -> None:
    broker = station("register")
    write(tmp_path / "a" / "CLAUDE.md", "# A\n")
    broker.discovery.scan()

    broker.agents.patch(AgentId("a"), {"label": "lead"})

    assert agent(broker, "a").presence == "offline"
