"""`waystation dead-letters`: what could not be delivered (SPEC D1)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, TypedDict, TypeVar

import click

from waystation.answers import Closed, ClosedMany, ClosedResult, DeadLetter
from waystation.cli.completion import AGENTS
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.exit_codes import ExitCode
from waystation.cli.failures import Failure
from waystation.cli.options import CommandGroup
from waystation.cli.paging import paged
from waystation.errors import ProblemError
from waystation.paging import each

F = TypeVar("F", bound=Callable[..., Any])
Close = Callable[[str], Closed]
"""Deals with the dead letter of an id."""
CloseMany = Callable[[int], ClosedMany]
"""Deals with so many of those that match."""

_COLUMNS: Final = ("DEAD LETTER", "AGENT", "REASON", "LAST ERROR", "ATTEMPTS", "FAILED", "STATUS")
_STATES: Final = click.Choice(["open", "retried", "resolved"])
_AT_ONCE: Final = 100
_MOST: Final = 1000
"""What the station takes or gives at once."""


class Wanted(TypedDict):
    """Which dead letters are meant."""

    agent: str | None
    sender: str | None
    channel: str | None
    reason: str | None


def _filtered(command: F) -> F:
    """Give a command the options that say which dead letters are meant."""
    for option in (
        click.option("--reason", help="Those that died of this."),
        click.option("--channel", help="Those of messages with this label."),
        click.option("--from", "sender", metavar="AGENT", help="Those that it sent."),
        click.option(
            "--of", "recipient", metavar="AGENT", shell_complete=AGENTS, help="Those it should get."
        ),
    ):
        command = option(command)
    return command


@click.group("dead-letters", cls=CommandGroup)
def command() -> None:
    """Show, retry and resolve what could not be delivered."""


@command.command("list")
@_filtered
@click.option("--status", type=_STATES, help="Those in this state; all where nothing is said.")
@paged
@with_invocation
def list_dead_letters(
    invocation: Invocation,
    /,
    *,
    recipient: str | None,
    sender: str | None,
    channel: str | None,
    reason: str | None,
    status: str | None,
    limit: int | None,
    cursor: str | None,
) -> None:
    """List dead letters, newest first."""
    page = invocation.station.dead_letters.list(
        agent=recipient,
        sender=sender,
        channel=channel,
        reason=reason,
        status=status,
        limit=limit,
        cursor=cursor,
    )
    rows = [
        (one.id, one.agent_id, one.reason, one.last_error, one.attempts, one.failed_at, one.status)
        for one in page.dead_letters
    ]
    invocation.output.page(page, _COLUMNS, rows, empty="No dead letters.", cursor=page.cursor)


@command.command("show")
@click.argument("dead_letter_id", metavar="DEAD_LETTER")
@with_invocation
def show(invocation: Invocation, /, *, dead_letter_id: str) -> None:
    """Show a dead letter and every attempt."""
    letter = invocation.station.dead_letters.get(dead_letter_id)
    output = invocation.output
    output.record(letter, _fields(letter))
    if not output.as_json and letter.history:
        attempts = [(one.number, one.outcome, one.reason, one.ended_at) for one in letter.history]
        output.table(("ATTEMPT", "OUTCOME", "REASON", "ENDED"), attempts)


@command.command("retry")
@click.argument("dead_letter_ids", metavar="[DEAD_LETTER]...", nargs=-1)
@_filtered
@click.option("--all", "everything", is_flag=True, help="All that are open.")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@with_invocation
def retry(
    invocation: Invocation,
    /,
    *,
    dead_letter_ids: tuple[str, ...],
    recipient: str | None,
    sender: str | None,
    channel: str | None,
    reason: str | None,
    everything: bool,
    yes: bool,
) -> None:
    """Put messages back into their inboxes.

    Those of these ids, or all open ones that match; how many those are is said before.
    """
    letters = invocation.station.dead_letters
    wanted = Wanted(agent=recipient, sender=sender, channel=channel, reason=reason)
    _deal(
        invocation,
        "Retry",
        dead_letter_ids,
        wanted,
        everything=everything,
        yes=yes,
        one=letters.retry,
        many=lambda limit: letters.retry_matching(**wanted, limit=limit),
    )


@command.command("resolve")
@click.argument("dead_letter_ids", metavar="[DEAD_LETTER]...", nargs=-1)
@click.option("--because", "resolution", required=True, help="What was done about them.")
@_filtered
@click.option("--all", "everything", is_flag=True, help="All that are open.")
@click.option("--yes", "-y", is_flag=True, help="Don't ask.")
@with_invocation
def resolve(
    invocation: Invocation,
    /,
    *,
    dead_letter_ids: tuple[str, ...],
    resolution: str,
    recipient: str | None,
    sender: str | None,
    channel: str | None,
    reason: str | None,
    everything: bool,
    yes: bool,
) -> None:
    """Close cases without delivering.

    Those of these ids, or all open ones that match; how many those are is said before.
    """
    letters = invocation.station.dead_letters
    wanted = Wanted(agent=recipient, sender=sender, channel=channel, reason=reason)
    _deal(
        invocation,
        "Resolve",
        dead_letter_ids,
        wanted,
        everything=everything,
        yes=yes,
        one=lambda letter: letters.resolve(letter, resolution),
        many=lambda limit: letters.resolve_matching(resolution, **wanted, limit=limit),
    )


def _deal(
    invocation: Invocation,
    verb: str,
    ids: Sequence[str],
    wanted: Wanted,
    *,
    everything: bool,
    yes: bool,
    one: Close,
    many: CloseMany,
) -> None:
    matching = any(wanted.values())
    if bool(ids) + matching + everything != 1:
        raise click.UsageError("Say which: ids, filters such as --of, or --all.")
    if len(ids) == 1:
        closed = one(ids[0])
        invocation.output.result(closed, f"{closed.id} {closed.status}")
        return
    if ids:
        results = [_closed(one, letter) for letter in ids]
    else:
        count = _count(invocation, wanted)
        if count and not yes:
            _confirm(f"{verb} {count} dead letter{'s' if count > 1 else ''}?")
        results = _close_matching(invocation, many, count)
    _tell(invocation, results)


def _closed(close: Close, letter: str) -> ClosedResult:
    """What became of one of several; the others are dealt with all the same."""
    try:
        return ClosedResult(id=letter, status=close(letter).status)
    except ProblemError as refusal:
        return ClosedResult(id=letter, problem=refusal.problem)


def _count(invocation: Invocation, wanted: Wanted) -> int:
    found = each(invocation.station.dead_letters.list, **wanted, status="open", limit=_MOST)
    return sum(1 for _ in found)


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Say --yes, since nobody can be asked here.")
    if not click.confirm(question, err=True):
        raise Failure("Nothing was done.", code="not_confirmed")


def _close_matching(invocation: Invocation, many: CloseMany, count: int) -> list[ClosedResult]:
    """Deal with as many as were counted: what dies again meanwhile is not dealt with twice."""
    results: dict[str, ClosedResult] = {}
    with invocation.output.bar("dead letters", total=count) as advance:
        while len(results) < count:
            # Those that were refused are still open, and come before the others again.
            refused = sum(result.problem is not None for result in results.values())
            wanted = min(count - len(results), _AT_ONCE) + refused
            page = many(min(wanted, _MOST)).results
            new = {result.id: result for result in page if result.id not in results}
            if not new:
                break
            results |= new
            advance(len(new), f"{len(results)} of {count}")
    return list(results.values())


def _tell(invocation: Invocation, results: Sequence[ClosedResult]) -> None:
    output = invocation.output
    refused = [(one.id, one.problem.detail) for one in results if one.problem is not None]
    if output.as_json:
        output.document(ClosedMany(results=list(results)))
    else:
        output.text(f"{len(results) - len(refused)} done, {len(refused)} not")
        for letter, why in refused:
            output.complain(f"{letter}: {why}")
    if refused:
        raise click.exceptions.Exit(ExitCode.FAILED)


def _fields(letter: DeadLetter) -> dict[str, object]:
    message = letter.message
    return {
        "id": letter.id,
        "agent": letter.agent_id,
        "message": letter.message_id,
        "from": message.from_ if message else None,
        "kind": message.kind if message else None,
        "subject": message.subject if message else None,
        "body": message.body if message else None,
        "reason": letter.reason,
        "last error": letter.last_error,
        "failed": letter.failed_at,
        "status": letter.status,
        "retries": letter.retry_count,
        "next retry": letter.next_retry_at,
        "resolution": letter.resolution,
        "closed": letter.closed_at,
    }
