"""`waystation mcp`: the MCP server of one agent."""

from __future__ import annotations

import asyncio

import click

from waystation.cli.context import Invocation, with_invocation
from waystation.cli.durations import DURATION
from waystation.cli.failures import Failure
from waystation.cli.options import Command


@click.command("mcp", cls=Command)
@click.option("--http", "address", metavar="[HOST:]PORT", help="Serve over HTTP instead of stdio.")
@click.option("--path", default="/mcp", show_default=True, help="Where, over HTTP.")
@click.option(
    "--allow-host",
    "names",
    multiple=True,
    metavar="NAME",
    help="By which name clients call it over HTTP, beside its address.",
)
@click.option(
    "--hold",
    "hold_seconds",
    type=DURATION,
    default="30m",
    show_default=True,
    help="How long the model may hold a message without finishing it.",
)
@click.option(
    "--lease",
    "lease_seconds",
    type=DURATION,
    default="30s",
    show_default=True,
    help="How long after a crash of this server others wait for what the model held.",
)
@with_invocation
def command(
    invocation: Invocation,
    *,
    address: str | None,
    path: str,
    names: tuple[str, ...],
    hold_seconds: float,
    lease_seconds: float,
) -> None:
    """Serve the Model Context Protocol to the client that starts this, over stdin and stdout.

    The model is the agent named by --agent, WAYSTATION_AGENT or a profile, and no other.

    Over HTTP several clients may call, all as this agent. Beyond this machine they need the bearer
    token that WAYSTATION_MCP_TOKEN or WAYSTATION_MCP_TOKEN_FILE names.
    """
    try:
        # The SDK is an extra, and slow to import.
        from waystation.mcp.desk import Desk, Options  # noqa: PLC0415
        from waystation.mcp.http import Listening, bearer_token  # noqa: PLC0415
        from waystation.mcp.serving import log_to_stderr, serve_http, serve_stdio  # noqa: PLC0415
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise Failure(
            f"The MCP server needs {missing}, which is not installed.",
            next_step="pip install 'waystation[mcp]'",
        ) from error

    log_to_stderr()
    options = Options(lease_seconds=lease_seconds, hold_seconds=hold_seconds)
    listening = address and Listening.at(address, path=path, names=names, token=bearer_token())

    async def serve() -> None:
        desk = Desk(invocation.configuration, options)
        await (serve_http(desk, listening) if listening else serve_stdio(desk))

    asyncio.run(serve())
