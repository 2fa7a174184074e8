"""The installed command in a terminal, in a pipe, and in a shell that completes it."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

import pytest

from tests.client.command_line import WAYSTATION, CommandLine
from tests.client.conftest import MakeName

pytestmark = pytest.mark.client

_WITHIN_SECONDS = 60


def in_terminal(url: str, *words: str, **environ: str) -> str:
    """Run the command in a terminal of 100 columns, and return what it draws."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    bare = {
        name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")
    }
    with subprocess.Popen(
        [WAYSTATION, *words],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=bare | {"WAYSTATION_URL": url, "TERM": "xterm-256color"} | environ,
    ) as process:
        os.close(slave)
        drawn = _read_all(master)
        os.close(master)
        process.wait(_WITHIN_SECONDS)
    return drawn


def _read_all(terminal: int) -> str:
    drawn = b""
    deadline = time.monotonic() + _WITHIN_SECONDS
    while select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            return drawn.decode()
        if not chunk:
            return drawn.decode()
        drawn += chunk
    raise AssertionError(f"it did not end: {drawn!r}")


def test_a_terminal_gets_a_table_and_a_pipe_gets_columns(
    waystation: CommandLine, named: MakeName
) -> None:
    waystation("agents", "register", named("bob"), "--label", named("builder"))
    words = ("agents", "list", "--label", named("builder"))

    drawn = in_terminal(waystation.url, *words)
    plain = in_terminal(waystation.url, *words, NO_COLOR="1")
    piped = waystation.process(*words).stdout

    assert "LAST SEEN" in drawn
    assert "s ago" in drawn
    assert "\x1b[1m" in drawn
    assert "LAST SEEN" in plain
    assert "\x1b[3" not in plain
    assert "LAST SEEN" not in piped
    assert "\x1b" not in piped
    fields = piped.rstrip("\n").split("\t")
    assert fields[:4] == [named("bob"), "online", "provider", named("builder")]
    assert fields[-1].endswith("Z")


def test_what_others_wrote_can_not_steer_the_terminal(
    waystation: CommandLine, named: MakeName
) -> None:
    waystation("agents", "register", named("bob"))
    hostile = "pay bob\rpay eve \u202e[bold]gnp.exe[/bold]"
    sent = waystation("send", named("bob"), hostile, "--as", "user", "--subject", "[red]x")

    shown = in_terminal(waystation.url, "show", sent.stdout.strip())
    listed = in_terminal(waystation.url, "messages", "--to", named("bob"))

    for drawn in (shown, listed):
        assert "\u202e" not in drawn
        assert "[red]x" in drawn
    assert "pay bob\\rpay eve \\u202e[bold]gnp.exe[/bold]" in shown


def test_a_reader_that_goes_away_is_no_error(waystation: CommandLine, named: MakeName) -> None:
    waystation("agents", "register", named("bob"))
    lines = f'{{"to": "{named("bob")}", "body": "{"x" * 500}"}}\n' * 400
    waystation("send", "--jsonl", "--as", named("alice"), stdin=lines)

    with waystation.start("messages", "--from", named("alice"), "--limit", "500") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("msg_")
        process.stdout.close()
        process.stdout = None
        _, complaints = process.communicate(timeout=_WITHIN_SECONDS)

    assert complaints == ""


def test_two_agents_talk_from_a_shell(waystation: CommandLine, named: MakeName) -> None:
    bob, alice = named("bob"), named("alice")
    script = f"""
        set -eu
        export WAYSTATION_AGENT={bob}
        waystation agents register >/dev/null
        id=$(echo "is PR 12 ready?" | waystation send {bob} --as {alice} --expects-reply)
        waystation inbox --take --wait 20s --no-ack --json >taken.json
        test "$id" = "$(waystation messages --from {alice} | cut -f1)"
        waystation reply "$id" "yes, merge it" >/dev/null
        waystation show "$id" | tail -n 1 | cut -f1,2
        if waystation show msg_00000000000000000000000000 2>/dev/null; then exit 1; else echo $?; fi
    """

    ended = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=_WITHIN_SECONDS,
        check=False,
        cwd=os.environ["WAYSTATION_CONFIG"].rsplit("/", 1)[0],
        env=os.environ
        | {
            "PATH": f"{os.path.dirname(WAYSTATION)}:{os.environ['PATH']}",  # noqa: PTH120
            "WAYSTATION_URL": waystation.url,
        },
    )

    assert (ended.stdout, ended.stderr) == (f"{bob}\treplied\n3\n", "")


def completed(waystation: CommandLine, line: str) -> list[str]:
    """What bash is offered at the end of the line."""
    words = line.split(" ")
    ended = waystation.process(
        _WAYSTATION_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words) - 1)
    )
    assert ended.stderr == ""
    return [one.split(",", 1)[1] for one in ended.stdout.split()]


def test_a_shell_completes_commands_agents_and_channels(
    waystation: CommandLine, named: MakeName
) -> None:
    waystation("agents", "register", named("zenobia"))
    waystation("channels", "create", named("zoo"), "--as", named("zenobia"))

    assert completed(waystation, "waystation sen") == ["send"]
    assert completed(waystation, "waystation send zen") == [named("zenobia")]
    assert completed(waystation, "waystation channels join zo") == [named("zoo")]
    assert completed(waystation, "waystation agents show zen") == [named("zenobia")]


def test_where_no_station_is_nothing_is_completed_and_nothing_said(
    waystation: CommandLine,
) -> None:
    nowhere = CommandLine(url="http://127.0.0.1:9")

    assert completed(nowhere, "waystation send zen") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_printed(waystation: CommandLine, shell: str) -> None:
    printed = waystation("completion", shell)

    assert printed.exit_code == 0
    assert "_WAYSTATION_COMPLETE" in printed.stdout
