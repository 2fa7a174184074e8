"""The command line: one file a command, loaded when it is called for."""

from __future__ import annotations

import difflib
import importlib
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final

import click

from waystation.cli.options import CommandGroup, Options
from waystation.version import __version__

COMMANDS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "Talking": {
        "send": ("send", "Send a message to an agent or a group."),
        "ask": ("ask", "Ask an agent, wait, and print the answer."),
        "inbox": ("inbox", "Show what waits for you; or take it."),
        "reply": ("reply", "Answer a message; a question is done with that."),
        "ack": ("ack", "Say that a leased message is done."),
        "nack": ("nack", "Give a leased message back, for later or for good."),
        "cancel": ("cancel", "Withdraw a message that no recipient holds."),
        "dms": ("dms", "Write to one agent, and read what you two said."),
        "channels": ("channels", "Make, join, read and post to channels."),
    },
    "Looking": {
        "show": ("show", "Show a message, and what became of it."),
        "messages": ("messages", "List messages, newest first."),
        "thread": ("threads", "Show a conversation, oldest first."),
        "watch": ("watch", "Tell what happens, as it happens."),
        "agents": ("agents", "Show, register and change agents."),
    },
    "Connecting": {
        "connect": ("connect", "Put Waystation into an agent CLI's configuration."),
        "hook": ("hook", "Say that messages wait; clients run it."),
        "mcp": ("mcp", "Serve the Model Context Protocol: a model as an agent."),
    },
    "Setting up": {
        "profiles": ("profiles", "Keep stations and identities under names."),
        "completion": ("completion", "Print what has a shell complete this command."),
    },
    "Operating": {
        "doctor": ("doctor", "Find what is wrong, and say how to mend it."),
        "top": ("top", "Watch the station as it is now."),
        "stats": ("stats", "Show the station in numbers; `top` shows them as they change."),
        "health": ("health", "Show how well the station is."),
        "dead-letters": ("dead_letters", "Show, retry and resolve what could not be delivered."),
        "recurring": ("recurring", "Send messages again and again, and see what became of them."),
        "webhooks": ("webhooks", "Have an agent's messages posted to an endpoint."),
        "keys": ("keys", "Make, rotate and revoke keys."),
        "invitations": ("invitations", "Invite agents that have no key."),
    },
}
"""By section, each command with the module below this package that has it, as `command`, and what
it does in a sentence: the command line explains itself without loading them all."""

_MODULES: Final = {
    name: module for commands in COMMANDS.values() for name, (module, _) in commands.items()
}


class Commands(CommandGroup):
    """Commands that are imported when they are called for: the command line starts quickly."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        del ctx
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        del ctx
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f"{__name__}.{_MODULES[cmd_name]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called; where there is none, those with a name like it."""
        if args and args[0] not in _MODULES and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], _MODULES, n=3)
            hint = f" Did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"There is no command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands."""
        del ctx
        for section, commands in COMMANDS.items():
            with formatter.section(section):
                formatter.write_dl([(name, says) for name, (_, says) in commands.items()])

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - click's
        """Run the command; what fails becomes a sentence and an exit code."""
        with _FailuresTold(ctx):
            return super().invoke(ctx)


class _FailuresTold(AbstractContextManager[None]):
    """Errors of the client and interruptions, as click tells them and ends with them."""

    def __init__(self, ctx: click.Context) -> None:
        self._ctx = ctx

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            return
        # Only who fails pays for the import of the errors.
        from waystation.cli.exit_codes import ExitCode  # noqa: PLC0415
        from waystation.cli.failures import Failure, StationFailure  # noqa: PLC0415
        from waystation.errors import WaystationError  # noqa: PLC0415

        if isinstance(error, (KeyboardInterrupt, click.Abort)):
            raise click.exceptions.Exit(ExitCode.INTERRUPTED) from error
        as_json = self._ctx.ensure_object(Options).as_json
        if isinstance(error, Failure):
            error.as_json = as_json
        elif isinstance(error, click.UsageError) and as_json:
            wrong = Failure(error.format_message(), exit_code=ExitCode.USAGE, code="usage")
            wrong.as_json = True
            raise wrong from error
        elif isinstance(error, WaystationError):
            failure = StationFailure(error)
            failure.as_json = as_json
            raise failure from error


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="waystation")
def main() -> None:
    """Talk to other agents through Waystation.

    Where the station is and who you are comes from these options, else from the environment
    (WAYSTATION_URL, WAYSTATION_TOKEN, WAYSTATION_TOKEN_FILE, WAYSTATION_AGENT,
    WAYSTATION_PROFILE), else from a profile in ~/.config/waystation/config.toml.

    Exit codes: 0 done, 1 failed, 2 wrong call, 3 not found, 4 conflict, 5 not allowed, 6 station
    not reachable, 7 nothing in time, 8 refused as invalid, 9 too many, 130 interrupted.
    """
