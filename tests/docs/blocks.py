"""The fenced blocks of the documentation, and what each is to the runner.

The first word of a block's info string is its language, the others say what is done with it:

- `sh`: commands that a shell runs, one after the other; each must succeed;
- `console`: commands behind `$ ` (continued behind `> `) with what they print; one that fails is
  followed by `$ echo $?`;
- `python`: a script that is run;
- any with `file=NAME`: written to that file, for what comes later on the page;
- `json answer`, `text answer`: what the command before it printed;
- `running`: the command goes on while the page does; it must have printed what is shown by its end;
- `running=N`: the same, and the page goes on when N lines are printed;
- `refused`: the last of the commands fails, and it is meant to;
- `terminal=NAME`: in another terminal than the rest.

Other languages (diagrams, HTTP as it looks on the wire) are pictures: nobody is asked to type them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

EXAMPLES: Final = frozenset({"sh", "bash", "shell", "console", "python", "json"})
"""The languages of examples: each such block is run, or stands in the list of those that can't."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block, and where it stands."""

    page: str
    line: int
    language: str
    words: frozenset[str]
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    def option(self, name: str) -> str | None:
        """The value of `name=…` in the info string."""
        found = (word.partition("=") for word in self.words)
        return next((value for key, _, value in found if key == name), None)

    @property
    def is_left_running(self) -> bool:
        return "running" in self.words or self.option("running") is not None

    @property
    def is_example(self) -> bool:
        return (
            self.language in EXAMPLES or "answer" in self.words or self.option("file") is not None
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Command:
    """A command of a console, and what it prints."""

    text: str
    printed: str


def blocks_of(root: Path, page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    tokens = MarkdownIt("commonmark").parse((root / page).read_text())
    return [
        Block(
            page=page,
            line=(token.map or [0])[0] + 1,
            language=(token.info.split() or [""])[0],
            words=frozenset(token.info.split()[1:]),
            text=token.content,
        )
        for token in tokens
        if token.type == "fence"
    ]


def commands_of(console: str) -> Iterator[Command]:
    """The commands of a console block; what stands before the first is printed by none."""
    command: list[str] = []
    printed: list[str] = []
    for line in console.splitlines():
        if line.startswith("$ "):
            if command:
                yield Command(text="\n".join(command), printed="\n".join(printed))
            command, printed = [line[2:]], []
        elif line.startswith("> ") and command and not printed:
            command.append(line[2:])
        else:
            if not command:
                raise ValueError(f"a console begins with a command, not with: {line}")
            printed.append(line)
    if command:
        yield Command(text="\n".join(command), printed="\n".join(printed))
