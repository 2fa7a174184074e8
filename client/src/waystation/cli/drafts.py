"""The options that say what a message is like beside whom it is for, and its body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar, cast

import click
import msgspec

from waystation.cli.durations import DURATION
from waystation.cli.values import JSON_VALUE
from waystation.resources.messages import SendOptions, Target

F = TypeVar("F", bound=Callable[..., Any])


class Moment(click.ParamType[datetime]):
    """A time; without a zone it is this machine's."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The moment."""
        if isinstance(value, datetime):
            return value
        try:
            return datetime.fromisoformat(str(value)).astimezone()
        except ValueError:
            self.fail(f"{value} is not a time, such as 2026-12-24T18:00.", param, ctx)


_OPTIONS: Final = (
    click.option("--payload", type=JSON_VALUE, metavar="JSON", help="Data; @FILE reads it."),
    click.option("--subject", help="What it is about, in a line."),
    click.option("--priority", help="urgent, high, normal, low, or 0 to 9."),
    click.option("--kind", help="chat, task, question, …"),
    click.option(
        "--thread", "thread_id", metavar="ID", help="The conversation that it belongs to."
    ),
    click.option("--reply-to", metavar="MESSAGE_ID", help="The message that it replies to."),
    click.option("--correlation-id", metavar="ID", help="What replies shall carry back."),
    click.option("--delay", "delay_seconds", type=DURATION, help="Deliver it after so long."),
    click.option("--at", "deliver_at", type=Moment(), help="Deliver it then."),
    click.option("--ttl", "ttl_seconds", type=DURATION, help="How long it may wait."),
    click.option(
        "--key", "idempotency_key", metavar="KEY", help="Said again under this key, sent once."
    ),
    click.option("--expects-reply", is_flag=True, help="Make it a ticket: somebody shall answer."),
    click.option("--max-attempts", type=int, metavar="N", help="Deliveries until it is dead."),
    click.option("--supersedes", metavar="MESSAGE_ID", help="Withdraw an earlier one instead."),
    click.option(
        "--hold", "hold_for_unknown", is_flag=True, help="Keep it for an agent yet to register."
    ),
    click.option("--meta", type=JSON_VALUE, metavar="JSON", help="Notes of your own; @FILE."),
)

_GROUP_OPTIONS: Final = (
    click.option("--claimable", is_flag=True, help="Offer it to all; the first to claim has it."),
    click.option("--strategy", help="Give it to one: round_robin, least_loaded, random or sticky."),
    click.option("--channel", metavar="LABEL", help="A label; to post is `send channel:ID`."),
)


def with_message(command: F) -> F:
    """Give a command the fields of any message."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def with_groups(command: F) -> F:
    """Give a command the fields of a message to several."""
    for option in reversed(_GROUP_OPTIONS):
        command = option(command)
    return command


def said_of(message: Mapping[str, Any]) -> SendOptions:
    """Only what was said."""
    said = {name: value for name, value in message.items() if value is not None}
    return cast(SendOptions, {name: value for name, value in said.items() if value is not False})


def target_of(to: str) -> Target:
    """Whom it is for: a name, several with commas between, or JSON.

    Raises:
        UsageError: it begins as JSON does, and isn't.
    """
    if to.startswith(("{", "[")):
        try:
            target: Target = msgspec.json.decode(to)
        except msgspec.DecodeError as error:
            raise click.BadParameter(f"{to} is not JSON: {error}.", param_hint="TO") from error
        return target
    names = [name.strip() for name in to.split(",") if name.strip()]
    return names[0] if len(names) == 1 else names
