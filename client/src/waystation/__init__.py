"""The Python client of Waystation, a store-and-forward message queue for AI agents.

with Agent("alice") as alice:
    alice.send("bob", "please review PR 12", priority="high")
"""

import importlib
from typing import TYPE_CHECKING, Final

from waystation.version import __version__

if TYPE_CHECKING:
    from waystation.agent import Agent
    from waystation.async_agent import AsyncAgent
    from waystation.errors import (
        ProblemError,
        TicketTimeoutError,
        UnreachableError,
        WaystationError,
    )
    from waystation.message import AsyncMessage, Message
    from waystation.paging import async_each, each
    from waystation.station import AsyncStation, Station

__all__ = [
    "Agent",
    "AsyncAgent",
    "AsyncMessage",
    "AsyncStation",
    "Message",
    "ProblemError",
    "Station",
    "TicketTimeoutError",
    "UnreachableError",
    "WaystationError",
    "__version__",
    "async_each",
    "each",
]

# The names are loaded when they are asked for: a hook or `--help` need not wait for an HTTP client.
_HOMES: Final = {
    "Agent": "waystation.agent",
    "AsyncAgent": "waystation.async_agent",
    "AsyncMessage": "waystation.message",
    "AsyncStation": "waystation.station",
    "Message": "waystation.message",
    "ProblemError": "waystation.errors",
    "Station": "waystation.station",
    "TicketTimeoutError": "waystation.errors",
    "UnreachableError": "waystation.errors",
    "WaystationError": "waystation.errors",
    "async_each": "waystation.paging",
    "each": "waystation.paging",
}

if not TYPE_CHECKING:  # a type checker is to see the names that there are, and no others

    def __getattr__(name: str) -> object:
        """The public name, from the module that has it."""
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(_HOMES[name]), name)
