"""`waystation inbox`: what waits for you; take it, follow it, work on it (SPEC M5-M7)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import click

from waystation.cli.context import Invocation, with_invocation
from waystation.cli.durations import DURATION
from waystation.cli.executing import Ended, Execution, Verdict
from waystation.cli.exit_codes import ExitCode
from waystation.cli.failures import Failure, advising
from waystation.cli.incoming import show_taken, show_waiting
from waystation.cli.options import Command
from waystation.errors import (
    InvalidError,
    MessageNotFoundError,
    StaleLeaseError,
    UnknownAgentError,
)
from waystation.message import LEASE_SECONDS, Message

_RETRY_SECONDS: Final = 60.0
_NO_LONGER_HELD: Final = (StaleLeaseError, MessageNotFoundError)


@dataclass(frozen=True, kw_only=True)
class Taking:
    """Which messages to take, and when to end."""

    limit: int | None
    idle_seconds: float | None
    lease_seconds: float
    kinds: tuple[str, ...]
    min_priority: str | None


@click.command("inbox", cls=Command)
@click.option(
    "--take",
    type=click.IntRange(1),
    is_flag=False,
    flag_value=1,
    metavar="[N]",
    help="Take one, or N: lease, print, acknowledge.",
)
@click.option("--follow", is_flag=True, help="Take what waits and what comes, until interrupted.")
@click.option("--exec", "exec_", metavar="COMMAND", help="Run this for each that is taken.")
@click.option("--reply", "replies", is_flag=True, help="Answer with what the command prints.")
@click.option("--wait", type=DURATION, default=0.0, help="How long to wait where nothing is there.")
@click.option("--no-ack", is_flag=True, help="Leave it leased; finish it by ack, nack or reply.")
@click.option(
    "--lease", type=DURATION, default=LEASE_SECONDS, help="How long --no-ack holds.  [default: 60s]"
)
@click.option(
    "--retry-delay", type=DURATION, default=_RETRY_SECONDS, help="For exit code 75. [default: 60s]"
)
@click.option("--kind", "kinds", multiple=True, help="Only those of this kind; repeatable.")
@click.option("--min-priority", help="Only those of this priority or a higher one.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="How many to list.")
@with_invocation
def command(
    invocation: Invocation,
    /,
    *,
    take: int | None,
    follow: bool,
    exec_: str | None,
    no_ack: bool,
    limit: int | None,
    **said: Any,  # noqa: ANN401 - checked by click
) -> None:
    """Show what waits for you; or take it.

    Without --take, --follow or --exec nothing is leased. With --exec COMMAND the shell runs it for
    each message: the text comes on standard input (the whole message with --json), the fields in
    WAYSTATION_MESSAGE_ID, _FROM, _KIND, _SUBJECT, _PRIORITY, _THREAD_ID, … Exit code 0
    acknowledges; 75 has it come again after --retry-delay; 65 makes it a dead letter; any other
    has it come again after a growing pause, with the last line on stderr as the reason. The lease
    is extended while the command runs.
    """
    unknown = f"`waystation agents register {invocation.agent_id}` opens an inbox of that name."
    with advising(UnknownAgentError, unknown):
        if not (take or follow or exec_):
            waiting = invocation.agent.peek(
                limit=limit, kinds=said["kinds"], min_priority=said["min_priority"]
            )
            show_waiting(invocation.output, waiting)
            return
        if no_ack and (exec_ or follow):
            raise click.UsageError("--no-ack goes with --take alone.")
        taking = Taking(
            limit=take,
            idle_seconds=None if follow else said["wait"],
            lease_seconds=said["lease"],
            kinds=said["kinds"],
            min_priority=said["min_priority"],
        )
        # A loop outlives a station that restarts; that there is one, and an inbox, is seen before.
        invocation.agent.peek(limit=1)
        if no_ack:
            _hold(invocation, taking)
        elif exec_:
            _execute(invocation, taking, exec_, said["retry_delay"], replies=said["replies"])
        else:
            _loop(invocation, taking, lambda one: show_taken(invocation.output, one.delivered))


def _hold(invocation: Invocation, taking: Taking) -> None:
    """Lease and print, and leave the rest to others."""
    for taken in range(taking.limit or 1):
        message = invocation.agent.receive(
            wait_seconds=0 if taken else taking.idle_seconds or 0,
            lease_seconds=taking.lease_seconds,
            kinds=taking.kinds,
            min_priority=taking.min_priority,
        )
        if message is None:
            if not taken:
                raise _nothing_came()
            return
        show_taken(invocation.output, message.delivered, with_token=True)


def _loop(invocation: Invocation, taking: Taking, handle: Callable[[Message], object]) -> None:
    taken = 0
    with invocation.agent.inbox(
        limit=taking.limit,
        idle_seconds=taking.idle_seconds,
        kinds=taking.kinds,
        min_priority=taking.min_priority,
    ) as inbox:
        for message in inbox:
            taken += 1
            handle(message)
    if taking.limit is not None and not taken:
        raise _nothing_came()


def _execute(
    invocation: Invocation, taking: Taking, command: str, retry_seconds: float, *, replies: bool
) -> None:
    configuration = invocation.configuration
    environ = os.environ | {
        "WAYSTATION_URL": configuration.url,
        "WAYSTATION_AGENT": invocation.agent_id,
    }
    failed = 0

    def handle(message: Message) -> None:
        nonlocal failed
        execution = Execution(
            command,
            message.delivered,
            environ,
            as_json=invocation.output.as_json,
            keeps_output=replies and bool(message.expects_reply),
        )
        try:
            execution.start()
            while (ended := execution.wait()) is None:
                if message.lost:
                    invocation.output.note(f"{message.id} is somebody else's now: stopped.")
                    failed += 1
                    return
        finally:
            execution.end()
        try:
            _finish(message, ended, retry_seconds)
        except _NO_LONGER_HELD:
            invocation.output.note(
                f"{message.id} was given back, or lost, before its command ended."
            )
            failed += 1
        except InvalidError as error:  # an answer that is empty, or too long
            invocation.output.complain(f"{message.id}: the answer was refused: {error}")
            message.nack(f"The answer was refused: {error}")
            failed += 1
        else:
            failed += ended.verdict is not Verdict.DONE

    _loop(invocation, taking, handle)
    if failed and taking.idle_seconds is not None:
        raise Failure(f"{failed} given back.", code="not_done")


def _finish(message: Message, ended: Ended, retry_seconds: float) -> None:
    match ended.verdict:
        case Verdict.DONE if ended.output is not None:
            message.reply(ended.output.removesuffix("\n"))
        case Verdict.DONE:
            message.ack()
        case Verdict.LATER:
            message.nack(ended.reason, delay_seconds=retry_seconds)
        case Verdict.AGAIN | Verdict.NEVER:
            message.nack(ended.reason, permanent=ended.verdict is Verdict.NEVER)


def _nothing_came() -> Failure:
    return Failure("Nothing came in time.", exit_code=ExitCode.TIMEOUT, code="timeout")
