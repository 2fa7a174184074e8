"""What may be said of an agent, and of the messages that it takes, by keyword."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from waystation.configuration import Configuration
from waystation.resources.agents import Profile
from waystation.transport import Retrying


class Session(TypedDict, total=False):
    """Where the station is, and how the agent is there.

    `url`, `token` and `profile` else come from the environment or a profile
    (`waystation.configuration`). Without `register` the agent is taken to be known. `exclusive`
    opens a session of its own, which ends those before it (SPEC R8). Without `heartbeat_seconds`,
    by None, an idle agent is offline after a while.
    """

    url: str | None
    token: str | None
    profile: str | None
    configuration: Configuration | None
    retrying: Retrying | None
    register: bool
    exclusive: bool
    heartbeat_seconds: float | None


class About(Session, Profile, total=False):
    """A session, and what the agent says of itself."""


class Choice(TypedDict, total=False):
    """Which messages are taken: all, of these kinds, of this priority or a higher one.

    They are leased for `lease_seconds` at a time (60). What is offered to several is claimed, and
    passed over if another has it; without `claim` it is shown as an offer.
    """

    lease_seconds: float
    kinds: Sequence[str]
    min_priority: str | int | None
    claim: bool


class Receiving(Choice, total=False):
    """Which message, and how long to wait for it: 20 seconds where nothing is said."""

    wait_seconds: float


class Ending(TypedDict, total=False):
    """When a loop ends: after `limit`, or when none came for `idle_seconds`.

    `prefetch` is how many may be leased at once (1): more spares trips to the station, and keeps
    messages from other processes of the agent until their turn comes.
    """

    limit: int | None
    idle_seconds: float | None
    prefetch: int


class Looping(Choice, Ending, total=False):
    """Which messages a loop takes, and when it ends."""


class Pushed(Ending, total=False):
    """When a loop over pushed messages ends.

    Each lease is extended by `lease_seconds` (60) at a time; `claim` as with an inbox.
    """

    lease_seconds: float
    claim: bool
