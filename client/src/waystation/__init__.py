"""The Python client of Waystation, a store-and-forward message queue for AI agents.

with Agent("alice") as alice:
alice.send("bob", "please review PR 12", priority="high")
"""

from waystation.agent import Agent, AsyncAgent
from waystation.errors import ProblemError, UnreachableError, WaystationError
from waystation.station import AsyncStation, Station
from waystation.version import __version__

__all__ = [
    "Agent",
    "AsyncAgent",
    "AsyncStation",
    "ProblemError",
    "Station",
    "UnreachableError",
    "WaystationError",
    "__version__",
]
