"""The options that every command takes, before and after its name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import click

from waystation.cli.durations import DURATION

_SECTION: Final = "Options of every command"


@dataclass(kw_only=True)
class Options:
    """What was said about the station, the caller and the output; None where nothing was."""

    url: str | None = None
    token_file: str | None = None
    profile: str | None = None
    agent: str | None = None
    as_json: bool = False
    timeout_seconds: float | None = None
    quiet: bool = False
    no_color: bool = False


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:  # noqa: ANN401 - click's
    if value is not None and value is not False and param.name is not None:
        setattr(ctx.ensure_object(Options), param.name, value)


class _Everywhere(click.Option):
    """An option of every command; the place nearest to the end of the line counts."""

    def __init__(self, *names: str, **attributes: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(list(names), expose_value=False, callback=_keep, **attributes)


def _everywhere() -> list[_Everywhere]:
    return [
        _Everywhere("--url", metavar="URL", help="Where the station is."),
        _Everywhere(
            "--token-file", "token_file", metavar="FILE", help="The file that has the token."
        ),
        _Everywhere("--profile", metavar="NAME", help="The profile of the configuration file."),
        _Everywhere("--as", "--agent", "agent", metavar="AGENT", help="Who you are."),
        _Everywhere("--json", "as_json", is_flag=True, help="Print JSON; errors too, on stderr."),
        _Everywhere(
            "--timeout",
            "timeout_seconds",
            type=DURATION,
            help="How long to go on where the station is away or busy.  [default: 5s]",
        ),
        _Everywhere("--quiet", "-q", "quiet", is_flag=True, help="Print results only."),
        _Everywhere("--no-color", "no_color", is_flag=True, help="Without colours, as NO_COLOR."),
    ]


class Command(click.Command):
    """A command that takes the options of every command as well; one of its own goes before."""

    def __init__(self, *args: Any, **attributes: Any) -> None:  # noqa: ANN401 - click's
        super().__init__(*args, **attributes)
        taken = {name for parameter in self.params for name in parameter.opts}
        self.params += [one for one in _everywhere() if taken.isdisjoint(one.opts)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Its own options; those of every command by name only, but where they belong."""
        own: list[tuple[str, str]] = []
        everywhere: list[tuple[str, str]] = []
        for parameter in self.get_params(ctx):
            if (record := parameter.get_help_record(ctx)) and record[1]:
                (everywhere if isinstance(parameter, _Everywhere) else own).append(record)
        with formatter.section("Options"):
            formatter.write_dl(own)
        with formatter.section(_SECTION):
            if ctx.parent is None:
                formatter.write_dl(everywhere)
            else:
                names = ", ".join(record[0].split(",")[0].split()[0] for record in everywhere)
                formatter.write_text(f"{names}: see waystation --help")


class CommandGroup(Command, click.Group):
    """Commands about one thing, such as `agents`."""

    command_class = Command

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options, then the commands."""
        Command.format_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)
