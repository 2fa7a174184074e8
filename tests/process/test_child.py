"""The launcher of each process: counts starts, paces them, and says what it can't start."""

import os
import subprocess
import sys
import time
from pathlib import Path

from config.settings import ROOT
from station.child import PAUSE_SECONDS


def become(
    starts: Path, *command: str, parent: int | None = None
) -> subprocess.CompletedProcess[str]:
    launcher = [sys.executable, "-S", "-m", "station.child", str(parent or os.getpid())]
    return subprocess.run(
        [*launcher, str(starts), *command], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_a_process_that_ends_at_once_is_started_once_a_second(tmp_path: Path) -> None:
    starts = tmp_path / "web.starts"
    become(starts, "true")
    first = float(starts.read_text().split()[1])

    become(starts, "true")

    count, second = starts.read_text().split()
    assert count == "2"
    assert float(second) - first >= PAUSE_SECONDS


def test_a_process_is_started_and_paced_where_nothing_can_be_written(tmp_path: Path) -> None:
    began = time.monotonic()

    done = become(tmp_path / "no-such-folder" / "web.starts", "echo", "started")

    assert done.stdout == "started\n"
    assert time.monotonic() - began >= PAUSE_SECONDS


def test_the_station_s_own_programs_come_before_others(tmp_path: Path) -> None:
    done = become(tmp_path / "web.starts", "python", "-c", "import sys; print(sys.prefix)")

    assert done.stdout.strip() == sys.prefix


def test_an_unknown_program_is_named(tmp_path: Path) -> None:
    done = become(tmp_path / "web.starts", "no-such-program")

    assert done.returncode == 1
    assert "no-such-program can't be started" in done.stderr


def test_nothing_is_started_for_a_station_that_is_gone(tmp_path: Path) -> None:
    starts = tmp_path / "web.starts"

    done = become(starts, "true", parent=1)

    assert done.returncode != 0
    assert not starts.exists()
