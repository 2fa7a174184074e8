"""What a command works with: the station, the agent that it speaks for, and where it prints."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, Final, ParamSpec, TypeVar

import click

from waystation.agent import Agent
from waystation.cli.options import Options
from waystation.cli.output import Output
from waystation.configuration import Configuration, configured
from waystation.errors import ConfigurationError
from waystation.station import Station
from waystation.transport import Retrying

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_TIMEOUT_SECONDS: Final = 5.0
"""How long a command goes on where the station is away: enough for a restart, short for people."""


class Invocation:
    """One call of the command line; connections are opened when needed, closed at its end."""

    def __init__(self, ctx: click.Context) -> None:
        self._ctx = ctx.find_root()
        self.options = ctx.ensure_object(Options)

    @functools.cached_property
    def output(self) -> Output:
        """Where to print."""
        return Output(
            as_json=self.options.as_json,
            quiet=self.options.quiet,
            color=not self.options.no_color,
        )

    @functools.cached_property
    def configuration(self) -> Configuration:
        """Where the station is and who asks: options, environment, profile, defaults."""
        return configured(
            url=self.options.url,
            agent=self.options.agent,
            token_file=self.options.token_file,
            profile=self.options.profile,
        )

    @property
    def retrying(self) -> Retrying:
        """How long to go on where the station is away."""
        given = self.options.timeout_seconds
        return Retrying(seconds=DEFAULT_TIMEOUT_SECONDS if given is None else given)

    @functools.cached_property
    def station(self) -> Station:
        """The station, for what needs no agent."""
        station = Station(configuration=self.configuration, retrying=self.retrying)
        self._ctx.call_on_close(station.close)
        return station

    @property
    def agent_id(self) -> str:
        """Who the caller is. Raises `ConfigurationError` where nobody is named."""
        if self.configuration.agent is None:
            raise ConfigurationError(
                "Who are you? Name an agent by --as, WAYSTATION_AGENT or a profile;"
                " `--as user` is you, the person."
            )
        return self.configuration.agent

    @functools.cached_property
    def agent(self) -> Agent:
        """The agent that the caller is, as it is: nothing is registered."""
        agent = Agent(
            self.agent_id,
            configuration=self.configuration,
            retrying=self.retrying,
            register=False,
        )
        self._ctx.call_on_close(agent.close)
        return agent


_KEY: Final = "waystation.cli.invocation"


def invocation_of(ctx: click.Context) -> Invocation:
    """The invocation that a context belongs to."""
    root = ctx.find_root()
    found: Invocation = root.meta.setdefault(_KEY, Invocation(ctx))
    return found


def with_invocation(command: Callable[Concatenate[Invocation, P], T]) -> Callable[P, T]:
    """Hand the invocation to a command as its first argument."""

    @functools.wraps(command)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return command(invocation_of(click.get_current_context()), *args, **kwargs)

    return call
