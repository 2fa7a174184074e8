"""`waystation recurring`: messages that are sent again and again (SPEC S1)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, cast

import click
import msgspec

from waystation.answers import Recurring
from waystation.cli.bodies import body_of, with_body
from waystation.cli.completion import AGENTS, TARGETS
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.drafts import Moment, said_of, target_of, with_groups
from waystation.cli.durations import DURATION
from waystation.cli.options import CommandGroup
from waystation.cli.paging import paged
from waystation.cli.values import JSON_VALUE
from waystation.resources.messages import RecurringOptions

_COLUMNS: Final = ("RECURRING", "FROM", "TO", "SCHEDULE", "STATUS", "NEXT", "SENT", "SUBJECT")
_TURNS: Final = ("SCHEDULED", "OUTCOME", "COUNT", "MESSAGE", "DETAIL")
_STATES: Final = click.Choice(["active", "paused", "cancelled", "finished", "expired"])

_recurring = click.argument("recurring_id", metavar="RECURRING")


@click.group("recurring", cls=CommandGroup)
def command() -> None:
    """Send messages again and again, and see what became of them."""


@command.command("list")
@click.option("--from", "sender", metavar="AGENT", shell_complete=AGENTS, help="Those it sends.")
@click.option("--status", type=_STATES, help="Those in this state; all where nothing is said.")
@paged
@with_invocation
def list_recurring(
    invocation: Invocation,
    /,
    *,
    sender: str | None,
    status: str | None,
    limit: int | None,
    cursor: str | None,
) -> None:
    """List recurring messages, newest first."""
    page = invocation.station.recurring.list(
        sender=sender, status=status, limit=limit, cursor=cursor
    )
    rows = [
        (
            one.id,
            one.from_,
            one.to,
            _schedule(one),
            one.status,
            one.next_at,
            one.sent,
            one.subject or one.body,
        )
        for one in page.recurring
    ]
    invocation.output.page(page, _COLUMNS, rows, empty="No recurring messages.", cursor=page.cursor)


@command.command("create")
@click.argument("to", shell_complete=TARGETS)
@with_body
@click.option("--every", type=DURATION, help="The time between two: 30s, 5m, 1h.")
@click.option("--cron", metavar="FIELDS", help='Five fields, as "0 9 * * 1-5".')
@click.option("--at", "once_at", type=Moment(), help="Once, then.")
@click.option("--timezone", metavar="ZONE", help="Whose clock --cron means, as Europe/Berlin.")
@click.option("--until", "expires_at", type=Moment(), help="Nothing is sent then or later.")
@click.option("--catch-up", is_flag=True, help="Send late what was missed; else it is skipped.")
@click.option("--payload", type=JSON_VALUE, metavar="JSON", help="Data; @FILE reads it.")
@click.option("--subject", help="What it is about, in a line.")
@click.option("--priority", help="urgent, high, normal, low, or 0 to 9.")
@click.option("--kind", help="chat, task, question, …")
@click.option("--thread", "thread_id", metavar="ID", help="The conversation that they belong to.")
@click.option("--ttl", "ttl_seconds", type=DURATION, help="How long each may wait.")
@click.option("--expects-reply", is_flag=True, help="Make each a ticket: somebody shall answer.")
@click.option("--max-attempts", type=int, metavar="N", help="Deliveries until one is dead.")
@with_groups
@with_invocation
def create(
    invocation: Invocation,
    /,
    *,
    to: str,
    body: str | None,
    file: str | None,
    every: float | None,
    cron: str | None,
    once_at: datetime | None,
    timezone: str | None,
    expires_at: datetime | None,
    catch_up: bool,
    **message: Any,  # noqa: ANN401 - checked by click and the station
) -> None:
    """Begin a recurring message; say when by one of --every, --cron and --at.

    Subject and body may name {{now}}, {{date}}, {{scheduled_at}}, {{count}} and {{id}}.
    """
    schedule = schedule_of(every=every, cron=cron, once_at=once_at)
    begun = invocation.station.recurring.create(
        invocation.agent_id,
        target_of(to),
        body_of(body, file, needed=message["payload"] is None),
        schedule=schedule,
        timezone=timezone,
        expires_at=expires_at,
        policy="catch_up" if catch_up else None,
        **cast(RecurringOptions, said_of(message)),
    )
    invocation.output.result(begun, begun.id)


@command.command("show")
@_recurring
@with_invocation
def show(invocation: Invocation, /, *, recurring_id: str) -> None:
    """Show a recurring message."""
    _show(invocation, invocation.station.recurring.get(recurring_id))


@command.command("pause")
@_recurring
@with_invocation
def pause(invocation: Invocation, /, *, recurring_id: str) -> None:
    """Send nothing until it is resumed."""
    _say(invocation, invocation.station.recurring.pause(recurring_id))


@command.command("resume")
@_recurring
@with_invocation
def resume(invocation: Invocation, /, *, recurring_id: str) -> None:
    """Go on with the next time that lies ahead."""
    _say(invocation, invocation.station.recurring.resume(recurring_id))


@command.command("cancel")
@_recurring
@with_invocation
def cancel(invocation: Invocation, /, *, recurring_id: str) -> None:
    """End it for good."""
    _say(invocation, invocation.station.recurring.cancel(recurring_id))


@command.command("history")
@_recurring
@paged
@with_invocation
def history(
    invocation: Invocation, /, *, recurring_id: str, limit: int | None, cursor: str | None
) -> None:
    """Show what became of its times, newest first."""
    page = invocation.station.recurring.history(recurring_id, limit=limit, cursor=cursor)
    rows = [
        (one.scheduled_at, one.outcome, one.count, one.message_id, one.detail)
        for one in page.history
    ]
    invocation.output.page(page, _TURNS, rows, empty="Nothing happened yet.", cursor=page.cursor)


@command.command("next")
@_recurring
@click.option("--count", type=click.IntRange(1, 100), help="So many times ahead; 10 if not said.")
@with_invocation
def next_times(invocation: Invocation, /, *, recurring_id: str, count: int | None) -> None:
    """Show when it will be sent."""
    times = invocation.station.recurring.next_times(recurring_id, count=count)
    output = invocation.output
    if output.as_json:
        output.document({"next_times": times})
        return
    for moment in times:
        output.text(f"{msgspec.to_builtins(moment)}")


def schedule_of(*, every: float | None, cron: str | None, once_at: datetime | None) -> str:
    """The station's word for when. Raises `UsageError` unless exactly one is said."""
    said = [
        None if every is None else f"interval:{every:g}",
        cron,
        None if once_at is None else f"at:{once_at.isoformat()}",
    ]
    match [one for one in said if one is not None]:
        case [schedule]:
            return schedule
        case _:
            raise click.UsageError("Say when, by one of --every, --cron and --at.")


def _schedule(one: Recurring) -> str:
    return one.schedule if one.timezone == "UTC" else f"{one.schedule} {one.timezone}"


def _say(invocation: Invocation, one: Recurring) -> None:
    invocation.output.result(one, f"{one.id} {one.status}")


def _show(invocation: Invocation, one: Recurring) -> None:
    invocation.output.record(
        one,
        {
            "id": one.id,
            "from": one.from_,
            "to": one.to,
            "schedule": one.schedule,
            "timezone": one.timezone,
            "policy": one.policy,
            "status": one.status,
            "next": one.next_at,
            "sent": one.sent,
            "missed": one.missed,
            "failed": one.failed,
            "created": one.created_at,
            "until": one.expires_at,
            "ended": one.ended_at,
            "kind": one.kind,
            "priority": one.priority,
            "subject": one.subject,
            "payload": one.payload,
            "body": one.body,
        },
    )
