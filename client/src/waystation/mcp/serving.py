"""Serving: over stdin and stdout, or over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys

from mcp.server.stdio import stdio_server
from starlette.types import ASGIApp

from waystation.mcp.desk import Desk
from waystation.mcp.http import BearerOnly, Listening
from waystation.mcp.server import BusServer

_LAST_CALLS_SECONDS = 2

_log = logging.getLogger(__name__)


def log_to_stderr() -> None:
    """Stdout is the protocol's."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s"
    )


async def serve_stdio(desk: Desk) -> None:
    """Serve one client over stdin and stdout, until it closes them or ends this process."""
    leaving = _Leaving(desk)
    loop = asyncio.get_running_loop()
    with contextlib.suppress(NotImplementedError):  # on Windows: there is no SIGTERM to heed
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, leaving.begin)
    server = BusServer(desk)
    try:
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())
    except* BrokenPipeError:
        _log.info("The client is gone.")


class _Leaving:
    """The end by a signal.

    Stdin is read by a thread that can't be interrupted: an orderly end would wait for the client.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Give back what is held, and end at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._leave())

    async def _leave(self) -> None:
        try:
            await self._desk.close()
        finally:
            os._exit(0)


async def serve_http(desk: Desk, listening: Listening) -> None:
    """Serve any number of clients over streamable HTTP, all of them as the same agent."""
    import uvicorn  # noqa: PLC0415 - over stdio every start would pay for it

    with listening.bind() as bound:
        app: ASGIApp = BusServer(desk).streamable_http_app(
            streamable_http_path=listening.path, transport_security=listening.security
        )
        if listening.token:
            app = BearerOnly(app, listening.token)
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level=logging.WARNING,
            timeout_graceful_shutdown=_LAST_CALLS_SECONDS,
        )
        print(f"{desk.agent_id} listens on {listening.url(bound)}", file=sys.stderr, flush=True)  # noqa: T201 - for who started it
        await uvicorn.Server(config).serve(sockets=[bound])
