"""The frames that the station sends, and what its answers say beyond what REST answers."""

from __future__ import annotations

from typing import Literal, NotRequired, TypedDict

from app.errors import Problem
from app.websocket.frames import Ref
from broker.messaging.wire import DeliveredView


class WelcomeFrame(TypedDict):
    """The connection serves this agent, in this session; messages are pushed from now on."""

    type: Literal["hello"]
    agent_id: str
    epoch: int
    ref: NotRequired[Ref]


class MessageFrame(TypedDict):
    """A message is the client's until its lease ends; it takes one of the client's credit."""

    type: Literal["message"]
    message: DeliveredView


class ErrorFrame(TypedDict):
    """What was asked for is not done; if waiting may help, with the seconds to wait.

    Without `ref` it is about the connection, or about a frame that had none.
    """

    type: Literal["error"]
    problem: Problem
    ref: NotRequired[Ref]
    retry_after_seconds: NotRequired[int]


class AliveView(TypedDict):
    """The agent and its session, whose sign of life was noted."""

    agent_id: str
    epoch: int


class CreditView(TypedDict):
    """How many unfinished messages the client takes now."""

    credit: int
