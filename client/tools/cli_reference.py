"""Prints `docs/reference/cli.md` from the commands' own help."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Final

import click

from waystation.cli import COMMANDS, main

_INTRODUCTION: Final = """\
# The command line

Made by `client/tools/cli_reference.py` from the commands' own help; don't edit.

"""


def document() -> str:
    """The whole page."""
    root = click.Context(main, info_name="waystation")
    everywhere = {name for parameter in main.params for name in parameter.opts}
    parts = [_INTRODUCTION, *_help(main), "## Options of every command\n\n"]
    parts += _options(root, main, hidden=frozenset())
    for section, commands in COMMANDS.items():
        parts.append(f"## {section}\n\n")
        for name in commands:
            command = main.get_command(root, name)
            if command is None:
                raise TypeError(name)
            context = click.Context(command, info_name=name, parent=root)
            parts += _command(context, command, frozenset(everywhere))
    return "".join(parts).rstrip() + "\n"


def _command(
    context: click.Context, command: click.Command, everywhere: frozenset[str]
) -> Iterator[str]:
    """A command, then those below it."""
    yield f"### {context.command_path}\n\n"
    pieces = [piece for piece in command.collect_usage_pieces(context) if piece != "[OPTIONS]"]
    yield f"`{' '.join([context.command_path, *pieces])}`\n\n"
    yield from _help(command)
    yield from _options(context, command, hidden=everywhere)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                below = click.Context(inner, info_name=name, parent=context)
                yield from _command(below, inner, everywhere)


def _help(command: click.Command) -> Iterator[str]:
    """Its paragraphs; what click must not wrap is shown as it is."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        if paragraph.startswith("\b"):
            shown = paragraph.removeprefix("\b").strip("\n")
            yield f"```text\n{shown}\n```\n\n"
        else:
            yield f"{_escaped(' '.join(paragraph.split()))}\n\n"


def _options(
    context: click.Context, command: click.Command, *, hidden: frozenset[str]
) -> Iterator[str]:
    """Its own options, without those that every command has."""
    records = [
        record
        for parameter in command.params
        if hidden.isdisjoint(parameter.opts)
        and (record := parameter.get_help_record(context))
        and record[1]
    ]
    if records:
        yield "| option | |\n|---|---|\n"
        for names, says in records:
            yield f"| `{_cell(names)}` | {_escaped(_cell(says))} |\n"
        yield "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _escaped(text: str) -> str:
    """Text that no Markdown is made of."""
    return text.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


if __name__ == "__main__":
    sys.stdout.write(document())
