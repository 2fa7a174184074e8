"""Follows one page of the documentation word for word, against a real station."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.docs.blocks import Block, Command, commands_of
from tests.docs.output import matches, matches_json
from tests.docs.shell import Shell
from tests.process.stations import free_port
from tests.waiting import until

_WITHIN: Final = 30
_SHOWN_URL: Final = "127.0.0.1:8080"
"""Where the documentation finds the station."""

_SHOWN_PORTS: Final = ("8099", "8765")
"""Where its examples listen."""

_NAMES: Final = "alice|bob|carol|dave|erin|releases|reviewer"
"""The names of the documentation's agents, channels and tags; each page has them for itself."""


class Page:
    """What has been done so far of a page.

    Every page uses the same names and address; on the station that all pages share, `suffix` makes
    the names its own. What is printed is shown with the names of the page again. `environ` is what
    the page takes for granted beside the station's address.
    """

    def __init__(self, directory: Path, url: str, suffix: str, environ: Mapping[str, str]) -> None:
        self._directory = directory / "home"
        self._notes = directory / "notes"
        self._directory.mkdir()
        # An example that is refused must not look as if it had been done.
        (self._directory / ".curlrc").write_text("fail-with-body\n")
        self._address = url.partition("//")[2]
        self._url = url
        self._suffix = suffix
        self._more = environ
        self._name = re.compile(rf"(?<![A-Za-z0-9_])({_NAMES})(?![A-Za-z0-9])")
        self._ports = {shown: str(free_port()) for shown in _SHOWN_PORTS}
        self._own_name = re.compile(rf"(?<![A-Za-z0-9])({_NAMES}){suffix}")
        self._terminals: dict[str, Shell] = {}
        self._occupied: set[Shell] = set()
        self._running: list[tuple[Block, Command, Path]] = []
        self._printed = ""

    def follow(self, block: Block) -> None:
        """Do what a block says. Raises `AssertionError` where it turns out otherwise."""
        name = block.option("file")
        if name is not None:
            if block.language == "json":
                json.loads(block.text)
            file = self._directory / self._own(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self._own(block.text))
            return
        if "answer" in block.words:
            alike = matches_json if block.language == "json" else matches
            assert alike(block.text, self._printed), _differs(block, block.text, self._printed)
            return
        match block.language:
            case "console":
                for command in commands_of(block.text):
                    self._console(block, command)
            case "python":
                script = self._directory / f"line_{block.line}.py"
                script.write_text(self._own(block.text))
                self._succeed(block, f"python {script.name}")
            case "sh" | "bash" | "shell":
                self._succeed(block, f"set -e\n{block.text}\nset +e")
            case _:
                raise AssertionError(f"{block}: nothing says what to do with it; see blocks.py")

    def finish(self) -> None:
        """See that what was left running has printed what the page shows."""
        for block, command, output in self._running:
            shown = command.printed

            def printed(output: Path = output) -> str:
                return self._shown(output.read_text())

            try:
                until(lambda: matches(shown, printed()), within=_WITHIN, what=str(block))  # noqa: B023 - asked at once
            except AssertionError:
                raise AssertionError(_differs(block, shown, printed())) from None

    def close(self) -> None:
        """End whatever the page has started."""
        for shell in self._terminals.values():
            shell.end()

    def _console(self, block: Block, command: Command) -> None:
        shell = self._terminal(block)
        if block.is_left_running:
            self._occupied.add(shell)
            output = shell.start(self._own(command.text))
            self._running.append((block, command, output))
            lines = int(block.option("running") or 0)
            until(
                lambda: output.read_text().count("\n") >= lines,
                within=_WITHIN,
                what=f"{lines} lines printed by {block}",
            )
            return
        status, printed = shell.run(self._own(command.text))
        self._printed = self._shown(printed)
        assert matches(command.printed, self._printed), _differs(
            block, f"$ {command.text}\n{command.printed}", self._printed
        )
        assert status == 0 or "$ echo $?" in block.text, f"{block}: exit {status}\n{self._printed}"

    def _succeed(self, block: Block, command: str) -> None:
        shell = self._terminal(block)
        if block.is_left_running:
            self._occupied.add(shell)
            shell.start(self._own(command))
            return
        status, printed = shell.run(self._own(command))
        self._printed = self._shown(printed)
        assert (status != 0) is ("refused" in block.words), (
            f"{block}: exit {status}\n{self._printed}"
        )

    def _terminal(self, block: Block) -> Shell:
        name = block.option("terminal") or "first"
        if name not in self._terminals:
            notes = self._notes / name
            notes.mkdir(parents=True)
            self._terminals[name] = Shell(self._directory, notes, self._environ())
        shell = self._terminals[name]
        assert shell not in self._occupied, f"{block}: something is left running in this terminal"
        return shell

    def _environ(self) -> dict[str, str]:
        """What somebody has who has just installed the client, and nothing of our own."""
        return {
            "HOME": str(self._directory),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
            "LANG": "C.UTF-8",
            "COLUMNS": "120",
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
            "WAYSTATION_URL": self._url,
            **self._more,
        }

    def _own(self, text: str) -> str:
        own = self._name.sub(rf"\g<1>{self._suffix}", text)
        for shown, port in self._ports.items():
            own = re.sub(rf"\b{shown}\b", port, own)
        return own.replace(_SHOWN_URL, self._address)

    def _shown(self, text: str) -> str:
        shown = self._own_name.sub(r"\1", text)
        for port, own in self._ports.items():
            shown = re.sub(rf"\b{own}\b", port, shown)
        return shown.replace(self._address, _SHOWN_URL)


def _differs(block: Block, shown: str, printed: str) -> str:
    return f"{block} shows\n\n{shown}\n\nbut this was printed:\n\n{printed}"
