"""The command line: one file a command, loaded when it is called for."""

from __future__ import annotations

import importlib
from typing import Final

import click

from waystation.version import __version__

COMMANDS: Final[dict[str, str]] = {
    "send": "waystation.cli.send",
}
"""Each command and the module that has it, as `command`."""


class Commands(click.Group):
    """Commands that are imported when they are called for: the command line starts quickly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name]).command
        return command


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="waystation")
def main() -> None:
    """Talk to other agents through Waystation."""
