"""`waystation top`: the station as it is now, second by second."""

from __future__ import annotations

import asyncio
import math
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final

import click
from rich.live import Live

from waystation.cli.context import Invocation, with_invocation
from waystation.cli.durations import DURATION
from waystation.cli.live.frame import View, frame
from waystation.cli.live.gathering import Gathering
from waystation.cli.live.keyboard import Key, keys_at_once, pressed
from waystation.cli.live.snapshot import Snapshot
from waystation.cli.options import Command
from waystation.cli.output import Output
from waystation.station import AsyncStation
from waystation.transport import Retrying

_TERMINATED: Final = 128 + signal.SIGTERM
_WIDE: Final = 120
"""Columns where there is no terminal to ask."""


@click.command("top", cls=Command)
@click.option("--once", is_flag=True, help="Print one picture and end.")
@click.option(
    "--every", type=DURATION, default="1s", show_default=True, help="The time between looks."
)
@with_invocation
def command(invocation: Invocation, *, once: bool, every: float) -> None:
    """Watch the station as it is now.

    Rates, depths, latencies, agents, and what happened last. Keys: q quits, s sorts the agents by
    something else, the arrows scroll them. In a pipe it is one picture, with --json a document a
    look. A station that asks for tokens wants an operator's.
    """
    output = invocation.output
    once = once or not (output.as_json or output.for_people)
    status = asyncio.run(_watch(invocation, once=once, every=every))
    if status:
        raise click.exceptions.Exit(status)


async def _watch(invocation: Invocation, *, once: bool, every: float) -> int:
    output = invocation.output
    # A station that goes away later is shown to be away, so only the first look waits for it.
    where = invocation.configuration
    async with (
        AsyncStation(configuration=where, retrying=invocation.retrying) as station,
        AsyncStation(configuration=where, retrying=Retrying(seconds=math.inf)) as watched,
    ):
        gathering = Gathering(station, watched)
        first = await gathering.look()
        station.transport.retrying = Retrying(seconds=0)
        if once:
            _print(output, first)
            return 0
        async with gathering.listening():
            if output.as_json:
                return await _print_each(output, gathering, first, every)
            return await _Screen(output, gathering, every).show(first)


def _print(output: Output, snapshot: Snapshot) -> None:
    if output.as_json:
        output.line(_document(snapshot))
        return
    console = output.console()
    if not output.for_people:
        console.width = max(console.width, _WIDE)
    console.print(frame(snapshot, View()))


async def _print_each(output: Output, gathering: Gathering, first: Snapshot, every: float) -> int:
    stopped = asyncio.Event()
    with _until_terminated(stopped.set):
        snapshot = first
        while True:
            output.line(_document(snapshot))
            if await _within(every, stopped):
                return _TERMINATED
            snapshot = await gathering.look()


class _Screen:
    """The live view; whatever ends it, the terminal is left as it was found."""

    def __init__(self, output: Output, gathering: Gathering, every: float) -> None:
        self._console = output.console()
        self._gathering = gathering
        self._every = every
        self._view = View()
        self._snapshot: Snapshot | None = None
        self._live: Live | None = None
        self._ended = asyncio.Event()
        self._status = 0

    async def show(self, first: Snapshot) -> int:
        """Draw, again at every look, key and change of size, until it is ended; the exit status."""
        self._snapshot = first
        with ExitStack() as stack:
            loop = asyncio.get_running_loop()
            if sys.stdin.isatty():
                keyboard = stack.enter_context(keys_at_once())
                loop.add_reader(keyboard, self._react, keyboard)
                stack.callback(loop.remove_reader, keyboard)
            stack.enter_context(_until_terminated(self._terminate))
            loop.add_signal_handler(signal.SIGWINCH, self._draw)
            stack.callback(loop.remove_signal_handler, signal.SIGWINCH)
            self._live = stack.enter_context(
                Live(console=self._console, screen=True, auto_refresh=False)
            )
            self._draw()
            while not await _within(self._every, self._ended):
                self._snapshot = await self._gathering.look()
                self._draw()
        return self._status

    def _draw(self) -> None:
        if self._live is None or self._snapshot is None:
            return
        view = replace(self._view, lines=self._console.size.height)
        self._live.update(frame(self._snapshot, view), refresh=True)

    def _react(self, keyboard: int) -> None:
        for key in pressed(keyboard):
            match key:
                case Key.QUIT:
                    self._ended.set()
                case Key.SORT:
                    self._view = replace(self._view, order=self._view.order.next(), skipped=0)
                case Key.UP:
                    self._scroll(-1)
                case Key.DOWN:
                    self._scroll(1)
        self._draw()

    def _scroll(self, lines: int) -> None:
        count = len(self._snapshot.agents) if self._snapshot else 0
        skipped = min(max(self._view.skipped + lines, 0), max(count - 1, 0))
        self._view = replace(self._view, skipped=skipped)

    def _terminate(self) -> None:
        self._status = _TERMINATED
        self._ended.set()


class _until_terminated(ExitStack):  # noqa: N801 - used like a context manager function
    """Within it, SIGTERM and a lost terminal call this and nothing else."""

    def __init__(self, end: Callable[[], object]) -> None:
        super().__init__()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, end)
            self.callback(loop.remove_signal_handler, number)


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Whether it happens within this time."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def _document(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "at": snapshot.at,
        "url": snapshot.url,
        "away": snapshot.away,
        "not_ready": snapshot.not_ready,
        "stats": snapshot.stats,
        "agents": snapshot.agents,
        "events": snapshot.events,
    }
