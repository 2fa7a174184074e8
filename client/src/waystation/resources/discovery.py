"""Discovery: agents that are found on disk; for operators (SPEC R10)."""

from __future__ import annotations

from collections.abc import Sequence

from waystation.answers import Discovery, DiscoveryReport, RegisteredIds, Scan
from waystation.blocking import Blocking, blocking
from waystation.resources.resource import AsyncResource
from waystation.transport import Call, at, given


class AsyncDiscovery(AsyncResource):
    """Searching for agents, and registering those that were found."""

    async def reports(self) -> Sequence[DiscoveryReport]:
        """What the last search on each machine found, what changed, and what is gone."""
        call = Call(method="GET", path=at("discovery"))
        return (await self._transport.ask(call, Discovery)).reports

    async def scan(self) -> Scan:
        """Have the configured directories searched; the report follows under `reports`."""
        return await self._transport.ask(Call(method="POST", path=at("discovery", "scan")), Scan)

    async def register(self, ids: Sequence[str] | None = None) -> Sequence[str]:
        """Register agents that were found, or all of them; the ids that are registered now.

        Raises `DiscoveryNotFoundError`.
        """
        call = Call(method="POST", path=at("discovery", "register"), body=given(ids=ids))
        return (await self._transport.ask(call, RegisteredIds)).registered


class BlockingDiscovery(Blocking[AsyncDiscovery]):
    """The blocking twin of `AsyncDiscovery`."""

    reports = blocking(AsyncDiscovery.reports)
    scan = blocking(AsyncDiscovery.scan)
    register = blocking(AsyncDiscovery.register)
