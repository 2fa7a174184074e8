"""`waystation completion`: what a shell needs to complete commands, agents and channels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import click
from click.shell_completion import get_completion_class

from waystation.cli.context import invocation_of
from waystation.cli.failures import Failure
from waystation.cli.options import Command
from waystation.errors import WaystationError
from waystation.station import AsyncStation
from waystation.transport import Retrying

Complete = Callable[[click.Context, click.Parameter, str], list[str]]

_PATIENCE_SECONDS: Final = 1.0
"""Who presses the tab key waits."""
_PAGE: Final = 200
_GROUPS: Final = ("broadcast", "user", "tag:", "cap:", "label:", "channel:")


def _from_station(
    ids: Callable[[AsyncStation], Awaitable[Iterable[str]]], *others: str
) -> Complete:
    """Complete from what the station has; where it can't be asked, from nothing."""

    async def ask(ctx: click.Context) -> Iterable[str]:
        station = AsyncStation(
            configuration=invocation_of(ctx).configuration, retrying=Retrying(seconds=0)
        )
        async with station, asyncio.timeout(_PATIENCE_SECONDS):
            return await ids(station)

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        del parameter
        try:
            found = asyncio.run(ask(ctx))
        except (WaystationError, TimeoutError):
            found = ()  # a line that is being written is no place for errors
        return [one for one in (*found, *others) if one.startswith(incomplete)]

    return complete


async def _agents(station: AsyncStation) -> Iterable[str]:
    return [agent.id for agent in (await station.agents.list(limit=_PAGE)).agents]


async def _channels(station: AsyncStation) -> Iterable[str]:
    return [channel.id for channel in (await station.channels.list(limit=_PAGE)).channels]


AGENTS: Final = _from_station(_agents)
TARGETS: Final = _from_station(_agents, *_GROUPS)
CHANNELS: Final = _from_station(_channels)


@click.command("completion", cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print what has a shell complete this command.

    \b
    bash: waystation completion bash > ~/.local/share/bash-completion/completions/waystation
    zsh:  waystation completion zsh > a file in $fpath named _waystation
    fish: waystation completion fish > ~/.config/fish/completions/waystation.fish
    """  # noqa: D301 - click reads the backspace
    kind = get_completion_class(shell)
    if kind is None:
        raise Failure(f"Nothing is known of {shell}.")
    root = click.get_current_context().find_root().command
    click.echo(kind(root, {}, "waystation", "_WAYSTATION_COMPLETE").source())
