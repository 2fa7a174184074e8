"""The distribution: what is in it, and that it works and is typed where nothing else of ours is."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from config.settings import ROOT
from waystation import __version__

pytestmark = pytest.mark.client

CLIENT = ROOT / "client"
SOURCES = CLIENT / "src" / "waystation"


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a program that is told nothing of this checkout."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environ | {"WAYSTATION_CONFIG": str(cwd / "none.toml")},
        capture_output=True,
        text=True,
        check=False,
    )


def build(source: Path, target: str, into: Path) -> Path:
    """Build without a network: by what is installed here."""
    done = run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", into, cwd=source)
    assert done.returncode == 0, done.stderr
    (built,) = into.iterdir()
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(CLIENT, "sdist", tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made of what the sdist has."""
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, filter="data")
    return build(unpacked / f"waystation-{__version__}", "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel, and the locked packages of others."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, symlinks=True)
    python = home / "bin" / "python"
    done = run(
        *(sys.executable, "-m", "pip", "--python", python, "install", "--quiet"),
        *("--no-deps", "--no-index", "--disable-pip-version-check", wheel),
        cwd=home,
    )
    assert done.returncode == 0, done.stderr
    # Only a path: the links of editable installations in it do not count.
    (site,) = home.glob("lib/python*/site-packages")
    (site / "locked.pth").write_text(sysconfig.get_paths()["purelib"])
    return python


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    sources = {
        f"waystation/{path.relative_to(SOURCES)}"
        for path in SOURCES.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    about = {name for name in names if name.startswith(f"waystation-{__version__}.dist-info/")}

    assert "waystation/py.typed" in names
    assert f"waystation-{__version__}.dist-info/licenses/LICENSE" in about
    assert names - about == sources


def test_the_sdist_has_what_the_wheel_is_made_of_and_no_environment(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {"pyproject.toml", "README.md", "LICENSE", "src/waystation/py.typed"} <= names
    assert {name.partition("/")[0] for name in names} <= {
        *(".gitignore", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml"),
        *("requirements.lock", "src", "tools"),
    }


def test_it_works_where_nothing_else_of_ours_is(installed: Path, tmp_path: Path) -> None:
    code = """
import importlib.util, sys, waystation
from waystation import Agent, AsyncAgent, AsyncStation, Station, each
assert not any(importlib.util.find_spec(name) for name in ("broker", "app", "tests"))
print(waystation.__file__)
"""

    done = run(installed, "-c", code, cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(installed.parent.parent)


def test_its_command_says_its_version(installed: Path, tmp_path: Path) -> None:
    done = run(installed.with_name("waystation"), "--version", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert __version__ in done.stdout


# --- for users who have their programs checked ----------------------------------------------------

Check = Callable[[str], str]


@pytest.fixture(scope="module")
def check(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Check:
    """Have a program checked by `mypy --strict` where the package is installed."""
    directory = tmp_path_factory.mktemp("checked")

    def check(text: str) -> str:
        (directory / "program.py").write_text(text)
        done = run(
            *(sys.executable, "-m", "mypy", "--strict", "--no-error-summary"),
            *("--python-executable", installed, "program.py"),
            cwd=directory,
        )
        assert not done.stderr
        return done.stdout

    return check


def test_a_program_that_uses_it_well_passes_a_strict_type_checker(check: Check) -> None:
    found = check(
        """
from waystation import Agent, AsyncAgent, Station, each

with Agent("alice", tags=["review"]) as alice:
    sent = alice.send("bob", "please review PR 12", priority="high", payload={"pr": 12})
    identifier: str = sent.id
    status: str = alice.station.messages.get(sent.id).status

with Station("http://127.0.0.1:8080") as station:
    for agent in each(station.agents.list, tag="review", limit=10):
        name: str = agent.id
    for event in station.events.watch(events=["message.*"]):
        place: str | None = event.id


async def main() -> None:
    async with AsyncAgent("alice") as alice:
        sent = await alice.send("bob", "hi")
        identifier: str = sent.id
"""
    )

    assert found == ""


@pytest.mark.parametrize(
    "line",
    [
        "alice.send(7)",
        'alice.send("bob", "hi", prio="high")',
        'alice.send("bob", "hi", ttl_seconds="long")',
        'Agent("alice", colour="red")',
        'alice.station.agents.list(limit="ten")',
        "alice.station.agents.lst()",
        'alice.station.tickets.get("msg_1").answer',
        'each(alice.station.agents.list, tagg="x")',
        'alice.station.events.watch(event="x")',
    ],
)
def test_a_mistake_is_seen_by_a_type_checker(check: Check, line: str) -> None:
    begin = 'from waystation import Agent, each\n\nalice = Agent("alice")\n'

    found = check(f"{begin}{line}\n")

    assert found.startswith("program.py:4: error:"), found
