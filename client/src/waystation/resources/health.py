"""How the station fares: score, history, thresholds, numbers, readiness (SPEC M15, O1, O2)."""

from __future__ import annotations

from typing import TypedDict, Unpack

from waystation.answers import Health, History, Ready, Stats, Thresholds
from waystation.blocking import Blocking, blocking
from waystation.resources.resource import AsyncResource
from waystation.transport import Call, at, given


class NewThresholds(TypedDict, total=False):
    """From where on health is worth an alert; what is left out goes back to its default."""

    critical_score: float
    warning_score: float
    critical_error_rate: float
    warning_latency_seconds: float
    warning_availability: float
    window_seconds: float
    minimum_deliveries: float
    resolve_after_seconds: float


class AsyncHealth(AsyncResource):
    """Looking after a station; all but `ready` is for operators."""

    async def score(self) -> Health:
        """The health score with its parts, and the alerts that stand."""
        return await self._transport.ask(Call(method="GET", path=at("health", "score")), Health)

    async def history(self, *, limit: int | None = None, cursor: str | None = None) -> History:
        """A page of the reports that were taken by schedule, newest first."""
        query = given(limit=limit, cursor=cursor)
        call = Call(method="GET", path=at("health", "history"), query=query)
        return await self._transport.ask(call, History)

    async def thresholds(self) -> Thresholds:
        """From where on the station's health is worth an alert."""
        call = Call(method="GET", path=at("health", "thresholds"))
        return await self._transport.ask(call, Thresholds)

    async def set_thresholds(self, **thresholds: Unpack[NewThresholds]) -> Thresholds:
        """Set the thresholds; what is left out goes back to its default."""
        call = Call(method="PUT", path=at("health", "thresholds"), body=thresholds)
        return await self._transport.ask(call, Thresholds)

    async def stats(self, *, inboxes: int | None = None) -> Stats:
        """Depths, counts, rates and latency, with the `inboxes` deepest ones by name."""
        call = Call(method="GET", path=at("stats"), query=given(inboxes=inboxes))
        return await self._transport.ask(call, Stats)

    async def ready(self) -> Ready:
        """Whether every part of the station is there, now.

        Raises `NotReadyError`, whose sentence names those that are not.
        """
        call = Call(method="GET", path=at("health", "ready"), prefix="", once=True)
        return await self._transport.ask(call, Ready)


class BlockingHealth(Blocking[AsyncHealth]):
    """The blocking twin of `AsyncHealth`."""

    score = blocking(AsyncHealth.score)
    history = blocking(AsyncHealth.history)
    thresholds = blocking(AsyncHealth.thresholds)
    set_thresholds = blocking(AsyncHealth.set_thresholds)
    stats = blocking(AsyncHealth.stats)
    ready = blocking(AsyncHealth.ready)
