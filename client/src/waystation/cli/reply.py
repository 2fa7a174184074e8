"""`waystation reply`: answer a message (SPEC M10)."""

from __future__ import annotations

from typing import Any, cast

import click

from waystation.cli.bodies import body_of, with_body
from waystation.cli.context import Invocation, with_invocation
from waystation.cli.options import Command
from waystation.cli.values import JSON_VALUE
from waystation.resources.messages import SendOptions
from waystation.resources.tickets import ReplyOptions


@click.command("reply", cls=Command)
@click.argument("message_id", metavar="MESSAGE_ID")
@with_body
@click.option("--payload", type=JSON_VALUE, metavar="JSON", help="Answer with data; @FILE.")
@click.option("--token", "lease_token", metavar="LEASE_TOKEN", help="Only while your lease holds.")
@click.option("--subject", help="What it is about, in a line.")
@click.option("--priority", help="urgent, high, normal, low, or 0 to 9.")
@click.option("--key", "idempotency_key", metavar="KEY", help="Said again under this key, once.")
@with_invocation
def command(
    invocation: Invocation,
    /,
    *,
    message_id: str,
    body: str | None,
    file: str | None,
    payload: Any,  # noqa: ANN401 - any JSON
    **reply: Any,  # noqa: ANN401 - checked by click and the station
) -> None:
    """Answer a message; a question is done with that.

    A message that asks for no reply stays where it is: acknowledge it beside.
    """
    response = payload if payload is not None else body_of(body, file)
    said = {name: value for name, value in reply.items() if value is not None}
    message = invocation.station.messages.get(message_id)
    if message.expects_reply:
        answered = invocation.station.tickets.reply(
            message_id, response, agent_id=invocation.agent_id, **cast(ReplyOptions, said)
        )
        invocation.output.result(answered, answered.id)
        return
    said.pop("lease_token", None)
    text = response if isinstance(response, str) else None
    options: SendOptions = {"reply_to": message_id} | said  # type: ignore[assignment]
    if text is None:
        options["payload"] = response
    sent = invocation.agent.send(message.from_, text, **options)
    invocation.output.result(sent, sent.id)
