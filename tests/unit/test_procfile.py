"""The Procfile, and the supervisor's configuration made from it."""

import configparser
import shlex
from pathlib import Path

import pytest

from config.settings import ROOT
from station import procfile, supervision
from station.errors import StationError
from station.layout import Layout
from station.procfile import Entry


def rendered(entries: tuple[Entry, ...], data_dir: Path) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser()
    parser.read_string(supervision.render(entries, Layout(data_dir=data_dir), supervisor_pid=4711))
    return parser


def test_the_procfile_lists_every_role_of_a_station() -> None:
    entries = procfile.parse((ROOT / "Procfile").read_text())

    assert [entry.name for entry in entries] == [
        "redis",
        "web",
        "routing",
        "delivery",
        "retry",
        "execution",
        "scheduler",
    ]


def test_a_command_is_split_into_words_as_a_shell_would() -> None:
    (entry,) = procfile.parse("# who answers\n\nweb: gunicorn -c x.py 'app.factory:create_app()'\n")

    assert entry == Entry(
        name="web", command=("gunicorn", "-c", "x.py", "app.factory:create_app()")
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("web", "line 1 is not `name: command`"),
        ("a: b\nweb:", "line 2 is not `name: command`"),
        ("we b: x", "line 1 is not `name: command`"),
        ("a: b\na: c", "line 2: there is a process a already"),
        ("a: 'b", "line 1: No closing quotation"),
    ],
)
def test_a_bad_line_is_refused_by_its_number(text: str, complaint: str) -> None:
    with pytest.raises(StationError, match=complaint):
        procfile.parse(text)


def test_every_process_is_restarted_without_end(tmp_path: Path) -> None:
    entries = procfile.parse((ROOT / "Procfile").read_text())

    config = rendered(entries, tmp_path)

    for entry in entries:
        program = config[f"program:{entry.name}"]
        assert program["autorestart"] == "true"
        assert program["startsecs"] == "0"
        assert program["stdout_logfile"] == str(tmp_path / "log" / f"{entry.name}.log")


def test_redis_stops_after_everything_that_uses_it(tmp_path: Path) -> None:
    entries = procfile.parse((ROOT / "Procfile").read_text())

    config = rendered(entries, tmp_path)

    users = config["group:station"]
    assert int(users["priority"]) > int(config["program:redis"]["priority"])
    assert users["programs"].split(",") == [e.name for e in entries if e.name != "redis"]


def test_words_with_spaces_stay_one_word(tmp_path: Path) -> None:
    entry = Entry(name="web", command=("serve", "a b"))

    command = rendered((entry,), tmp_path / "my files")["program:web"]["command"]

    assert shlex.split(command)[-2:] == ["serve", "a b"]
    assert str(tmp_path / "my files" / "run" / "web.starts") in shlex.split(command)


@pytest.mark.parametrize("name", ["a ;b", "a #b", "50%"])
def test_a_path_that_supervisord_would_change_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StationError, match="No path or command"):
        rendered((Entry(name="web", command=("serve",)),), tmp_path / name)


def test_the_supervisor_has_no_server_of_its_own(tmp_path: Path) -> None:
    config = rendered((Entry(name="web", command=("serve",)),), tmp_path)

    assert not [section for section in config.sections() if "server" in section]
