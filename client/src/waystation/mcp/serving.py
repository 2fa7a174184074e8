"""Serving: over stdin and stdout, or over HTTP."""

from __future__ import annotations

import asyncio
import os
import signal

from mcp.server.stdio import stdio_server

from waystation.mcp.desk import Desk
from waystation.mcp.server import BusServer


async def serve_stdio(desk: Desk) -> None:
    """Serve one client over stdin and stdout, until it closes them or ends this process."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: _leaving.add(asyncio.create_task(_leave(desk))))
    server = BusServer(desk)
    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


_leaving: set[asyncio.Task[None]] = set()


async def _leave(desk: Desk) -> None:
    """Give back what is held, and end at once.

    Stdin is read by a thread that can't be interrupted: an orderly end would wait for the client.
    """
    await desk.close()
    os._exit(0)
