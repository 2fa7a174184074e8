"""What a connection has to expect: whether the station is there, and takes the agent."""

from __future__ import annotations

from collections.abc import Mapping

from waystation.agent import Agent
from waystation.configuration import Configuration
from waystation.errors import (
    ForbiddenError,
    UnauthenticatedError,
    UnknownAgentError,
    WaystationError,
)
from waystation.station import Station
from waystation.transport import Retrying

_ONCE = Retrying(seconds=0)


def prospects(configuration: Configuration, agent: str, environ: Mapping[str, str]) -> list[str]:
    """Ask the station as the agent; whatever is wrong, or is to come, becomes a sentence."""
    advice: list[str] = []
    if environ.get("WAYSTATION_TOKEN"):
        advice.append(
            "WAYSTATION_TOKEN is not written into another program's file. Put the token into a"
            " file and give --token-file, or name that file in a profile."
        )
    try:
        with Station(configuration=configuration, retrying=_ONCE) as station:
            station.agents.get(agent)
    except UnauthenticatedError:
        advice.append(
            "The station asks for a token, and none that holds was sent. An admin makes one by"
            f" `waystation keys create {agent} --scope agent:{agent} --save {agent}`; then connect"
            f" with --profile {agent}, or put it into a file and give --token-file."
        )
    except ForbiddenError:
        advice.append(f"The token that was sent is not one for {agent}.")
    except UnknownAgentError:
        advice.append(f"{agent} is not registered yet: its first session does it, or --register.")
    except WaystationError as error:
        advice.append(f"{error}. Start the station before the client.")
    return advice


def register(configuration: Configuration, agent: str) -> None:
    """Make the agent known to the station, so that others can write to it at once.

    Raises:
        WaystationError: the station refused, or is away.
    """
    with Agent(agent, configuration=configuration, retrying=_ONCE):
        pass
