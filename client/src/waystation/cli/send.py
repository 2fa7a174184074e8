"""`waystation send`: a message, or many (SPEC M1, M2, M11)."""

from __future__ import annotations

from typing import Any, Final

import click

from waystation.cli.bodies import body_of, with_body
from waystation.cli.bulk import send_lines, standard_input
from waystation.cli.completion import TARGETS
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.drafts import said_of, target_of, with_groups, with_message
from waystation.cli.durations import DURATION
from waystation.cli.exit_codes import ExitCode
from waystation.cli.failures import Failure, advising
from waystation.cli.options import Command
from waystation.cli.receipts import COLUMNS, Verdict, rows, wait_for_verdict
from waystation.errors import UnknownAgentError

_UNKNOWN: Final = (
    "`waystation agents list` shows who is registered; --hold keeps the message until it is."
)


@click.command("send", cls=Command)
@click.argument("to", required=False, shell_complete=TARGETS)
@with_body
@with_message
@with_groups
@click.option(
    "--jsonl", is_flag=True, help="Read many messages, one a line of JSON, from standard input."
)
@click.option("--wait", is_flag=True, help="Wait until every recipient is done with it.")
@click.option("--wait-for", type=DURATION, help="Wait so long at most; then exit code 7.")
@with_invocation
def command(
    invocation: Invocation,
    /,
    *,
    to: str | None,
    body: str | None,
    file: str | None,
    jsonl: bool,
    wait: bool,
    wait_for: float | None,
    **message: Any,  # noqa: ANN401 - checked by click and the station
) -> None:
    """Send a message to an agent or a group.

    TO is an agent, a group such as tag:review or broadcast, several with commas between, or a
    selector as JSON. BODY is read from a pipe where it is left out or is -.

    With --jsonl each line of standard input is a message, such as {"to": "bob", "body": "hello"};
    TO and the options hold for those lines that say nothing else. --key has the line's number
    added, so that the same input can be sent again without anything being sent twice.
    """
    if jsonl:
        if body is not None or file is not None or wait or wait_for is not None:
            raise click.UsageError("--jsonl reads the messages from standard input, and that's it.")
        defaults = {**said_of(message), **({"to": target_of(to)} if to else {})}
        send_lines(invocation, standard_input(), defaults)
        return
    if to is None:
        raise click.UsageError("Say to whom: TO.")
    text = body_of(body, file, needed=message["payload"] is None)
    with advising(UnknownAgentError, _UNKNOWN):
        sent = invocation.agent.send(target_of(to), text, **said_of(message))
    if not wait and wait_for is None:
        invocation.output.result(sent, sent.id)
        return
    _wait(invocation, sent.id, wait_for)


def _wait(invocation: Invocation, message_id: str, patience_seconds: float | None) -> None:
    output = invocation.output
    if not output.as_json:
        output.text(message_id)
    with output.progress(f"{message_id}: accepted") as told:

        def seen(verdict: Verdict) -> None:
            told(f"{message_id}: {verdict.summary}")

        verdict = wait_for_verdict(
            invocation.station.messages,
            message_id,
            patience_seconds=patience_seconds,
            seen=seen,
        )
    if output.as_json:
        output.document(verdict)
    else:
        output.table(COLUMNS, rows(verdict.receipts))
    if not verdict.is_well:
        raise Failure(
            f"Not everybody has it: {verdict.summary}.",
            exit_code=ExitCode.FAILED,
            code="not_delivered",
            next_step="`waystation dead-letters list` says why, if it died.",
        )
