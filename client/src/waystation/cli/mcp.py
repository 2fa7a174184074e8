"""`waystation mcp`: the MCP server of one agent."""

from __future__ import annotations

import asyncio

import click

from waystation.cli.context import Invocation, with_invocation
from waystation.cli.failures import Failure
from waystation.cli.options import Command


@click.command("mcp", cls=Command)
@with_invocation
def command(invocation: Invocation) -> None:
    """Serve the Model Context Protocol to the client that starts this, over stdin and stdout.

    The model is the agent named by --agent, WAYSTATION_AGENT or a profile, and no other.
    """
    try:
        # The SDK is an extra, and slow to import.
        from waystation.mcp.desk import Desk  # noqa: PLC0415
        from waystation.mcp.serving import serve_stdio  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Failure(
            f"The MCP server needs {error.name}, which is not installed.",
            next_step="pip install 'waystation[mcp]'",
        ) from error

    async def serve() -> None:
        await serve_stdio(Desk(invocation.configuration))

    asyncio.run(serve())
