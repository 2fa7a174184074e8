"""Telling clients what changed: that a message reached the inbox, that more tools are listed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Any, Final

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.subscriptions import ResourceUpdated, ToolsListChanged

from waystation.errors import WaystationError
from waystation.mcp.desk import Desk
from waystation.mcp.resources import INBOX

_log = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 5

Context = ServerRequestContext[Desk, Any]


class Changes:
    """What clients subscribe to, in the way of either age of the protocol.

    The inbox is watched for as long as anybody wants to hear of it.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._bus = InMemorySubscriptionBus()
        self._listen = ListenHandler(self._bus)
        self._subscribers: dict[str, ServerSession] = {}
        self._listeners = 0
        self._watching: asyncio.Task[None] | None = None

    async def tools_changed(self, session: ServerSession) -> None:
        """More tools are listed."""
        await self._bus.publish(ToolsListChanged())
        await session.send_tool_list_changed()

    async def listen(
        self, context: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Serve a client of the newer protocol, for as long as it listens."""
        with self._listening(INBOX in (params.notifications.resource_subscriptions or ())):
            return await self._listen(context, params)

    @contextlib.contextmanager
    def _listening(self, to_inbox: bool) -> Iterator[None]:  # noqa: FBT001 - its one argument
        self._listeners += to_inbox
        self._watch_or_not()
        try:
            yield
        finally:
            self._listeners -= to_inbox
            self._watch_or_not()

    async def subscribe(
        self, context: Context, params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        """Tell this client of the older protocol when its inbox gets something."""
        if str(params.uri) == INBOX:
            self._subscribers[_client(context)] = context.session
        self._watch_or_not()
        return types.EmptyResult()

    async def unsubscribe(
        self, context: Context, params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        """Tell it no more."""
        if str(params.uri) == INBOX:
            self._subscribers.pop(_client(context), None)
        self._watch_or_not()
        return types.EmptyResult()

    def close(self) -> None:
        """Watch nothing any more."""
        self._subscribers.clear()
        self._listeners = 0
        self._watch_or_not()

    def _watch_or_not(self) -> None:
        is_wanted = bool(self._listeners or self._subscribers)
        if is_wanted and self._watching is None:
            self._watching = asyncio.create_task(self._watch())
        elif not is_wanted and self._watching is not None:
            self._watching.cancel()
            self._watching = None

    async def _watch(self) -> None:
        station, agent = self._desk.station, self._desk.agent_id
        while True:
            try:
                async with station.events.watch(agent=agent, events=["delivery.queued"]) as watch:
                    async for event in watch:
                        if any(item.agent_id == agent for item in event.items or ()):
                            await self._tell()
            except WaystationError as error:
                _log.warning("The inbox is not watched: %s", error)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _tell(self) -> None:
        await self._bus.publish(ResourceUpdated(uri=INBOX))
        for session in list(self._subscribers.values()):
            await session.send_resource_updated(INBOX)


def _client(context: Context) -> str:
    """Which connection asks: over stdio there is only one."""
    headers = getattr(context.request, "headers", None) or {}
    return str(headers.get("mcp-session-id", ""))
