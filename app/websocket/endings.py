"""How a connection ends: close codes (RFC 6455 section 7.4; 4000 and up are our own)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from broker.kernel.errors import (
    BrokerError,
    StaleEpochError,
    UnauthenticatedError,
    UnknownAgentError,
)


class CloseCode(IntEnum):
    """Why the server closed; a client may connect again after those of the standard."""

    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    BAD_FRAMES = 4400
    UNAUTHENTICATED = 4401
    UNKNOWN_AGENT = 4404
    SUPERSEDED = 4409


@dataclass(frozen=True, kw_only=True)
class Ending:
    """That the server closes a connection, and why."""

    code: CloseCode
    reason: str


STOPPING = Ending(code=CloseCode.SERVICE_RESTART, reason="the server is stopping")
FAILED = Ending(code=CloseCode.INTERNAL_ERROR, reason="internal error")
GARBLED = Ending(code=CloseCode.BAD_FRAMES, reason="too many bad frames in a row")
REPLACED = Ending(
    code=CloseCode.SUPERSEDED, reason="a newer connection of this instance has taken over"
)


def ending_by(error: BrokerError) -> Ending | None:
    """How the connection ends when its own agent meets this error; None if it goes on."""
    match error:
        case StaleEpochError():
            return Ending(
                code=CloseCode.SUPERSEDED, reason="a newer session of this agent has taken over"
            )
        case UnauthenticatedError():
            return Ending(code=CloseCode.UNAUTHENTICATED, reason="the key or token no longer holds")
        case UnknownAgentError():
            return Ending(code=CloseCode.UNKNOWN_AGENT, reason="no such agent is registered")
        case _:
            return None
