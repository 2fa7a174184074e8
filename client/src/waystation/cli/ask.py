"""`waystation ask`: a question, and its answer (SPEC M10)."""

from __future__ import annotations

from typing import Any, Final

import click

from waystation.cli.bodies import body_of, with_body
from waystation.cli.cells import json_text
from waystation.cli.completion import TARGETS
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.drafts import said_of, target_of, with_message
from waystation.cli.durations import DURATION
from waystation.cli.failures import advising
from waystation.cli.options import Command
from waystation.errors import TicketTimeoutError

_PATIENCE_SECONDS: Final = 600.0


@click.command("ask", cls=Command)
@click.argument("to", shell_complete=TARGETS)
@with_body
@click.option(
    "--timeout",
    "timeout_seconds",
    type=DURATION,
    default=_PATIENCE_SECONDS,
    help="How long to wait for the answer; then exit code 7.  [default: 10m]",
)
@with_message
@with_invocation
def command(
    invocation: Invocation,
    /,
    *,
    to: str,
    body: str | None,
    file: str | None,
    timeout_seconds: float,
    **message: Any,  # noqa: ANN401 - checked by click and the station
) -> None:
    """Ask an agent, wait, and print the answer."""
    text = body_of(body, file, needed=message["payload"] is None)
    options = said_of(message)
    options["timeout_seconds"] = timeout_seconds
    output = invocation.output
    late = f"A late answer comes to your inbox: waystation inbox --as {invocation.agent_id}"
    with advising(TicketTimeoutError, late), output.progress(f"waiting for {to} …"):
        reply = invocation.agent.ask(target_of(to), text, **options)
    response = reply.response
    output.result(reply, response if isinstance(response, str) else json_text(response))
