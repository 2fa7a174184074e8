"""What happens at the station (SPEC T3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, Unpack

from waystation.blocking import Blocking
from waystation.resources.resource import AsyncResource
from waystation.transport import Call, at
from waystation.watching import AsyncWatch, Watch


class Interest(TypedDict, total=False):
    """What to tell of, from where on; nothing said is everything, from now on."""

    events: Sequence[str]
    """Names or families: `message.accepted`, `delivery.*`."""
    agent: str
    """What this agent sent or received, or is itself."""
    message: str
    thread: str
    after: str
    """The id of an event, or `<milliseconds>-0` for a moment: go on behind it."""
    follow: bool
    """False: end when all that happened until now is told; then from the oldest kept event on."""


class AsyncEvents(AsyncResource):
    """Watching what happens."""

    def watch(self, **interest: Unpack[Interest]) -> AsyncWatch:
        """Events as they happen, of what the caller may see."""
        call = Call(method="GET", path=at("events"), query=interest)
        return AsyncWatch(self._transport, call, follow=interest.get("follow", True))


class BlockingEvents(Blocking[AsyncEvents]):
    """The blocking twin of `AsyncEvents`."""

    def watch(self, **interest: Unpack[Interest]) -> Watch:
        """Events as they happen, of what the caller may see."""
        return Watch(self._core.watch(**interest))
