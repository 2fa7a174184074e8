"""Sending, and asking for an answer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field

from waystation.answers import Reply
from waystation.mcp.arguments import (
    PAGE,
    WAIT_SECONDS,
    Cursor,
    Id,
    Limit,
    Priority,
    To,
    WaitSeconds,
)
from waystation.mcp.desk import POLL_SECONDS
from waystation.mcp.tool import Tool, Visit, acting, reading
from waystation.mcp.wording import cut, fenced, glimpse, json_text, paged
from waystation.transport import given


@acting()
async def bus_send(
    visit: Visit,
    *,
    to: To,
    body: str,
    subject: str = "",
    priority: Priority | None = None,
    reply_to: Annotated[str, Field(description="id of the message this follows")] = "",
    payload: Annotated[object, Field(description="any JSON beside the text")] = None,
) -> str:
    """Send a message and go on; it is stored until its recipients take it."""
    await visit.desk.presence.ensure()
    options = given(
        subject=subject or None, priority=priority, reply_to=reply_to or None, payload=payload
    )
    sent = await visit.desk.station.messages.send(visit.desk.agent_id, to, body, **options)
    return f"sent {sent.id}, thread {sent.thread_id}"


@acting()
async def bus_ask(
    visit: Visit, *, to: Id, body: str, max_seconds: WaitSeconds = WAIT_SECONDS
) -> str:
    """Ask an agent and wait for its answer; a late one comes to your inbox."""
    desk = visit.desk
    await desk.presence.ensure()
    asked = await desk.station.tickets.ask(desk.agent_id, to, body)
    beat = visit.beat(max_seconds)
    began = time.monotonic()
    passed = 0.0
    while True:
        patience = min(POLL_SECONDS, max(0.0, max_seconds - passed))
        found = await desk.station.tickets.wait(asked.id, timeout_seconds=patience)
        passed = time.monotonic() - began
        if found.replies:
            desk.told.update(one.id for one in found.replies)
            return _answers(found.replies)
        if found.status == "timeout":
            return f"{to} did not answer {asked.id} in time."
        if passed >= max_seconds:
            return f"No answer to {asked.id} yet. It will come to your inbox: see bus_wait."
        await beat(passed)


def _answers(replies: Sequence[Reply]) -> str:
    return "\n\n".join(_answer(one) for one in replies)


def _answer(reply: Reply) -> str:
    text = reply.response if isinstance(reply.response, str) else json_text(reply.response)
    beginning, rest = cut(text, reply.id)
    return f"{reply.id}, answer of {reply.agent_id}\n{fenced(reply.agent_id, beginning)}{rest}"


@acting()
async def bus_send_multi(
    visit: Visit,
    *,
    recipients: Annotated[list[str], Field(min_length=1)],
    body: str,
    subject: str = "",
    priority: Priority | None = None,
) -> str:
    """Send one message to several agents, with a receipt for each."""
    return await bus_send.function(
        visit, to=recipients, body=body, subject=subject, priority=priority
    )


@acting()
async def bus_broadcast(visit: Visit, *, body: str, subject: str = "") -> str:
    """Send a message to every agent."""
    return await bus_send.function(visit, to="broadcast", body=body, subject=subject)


@acting(destructive=True, idempotent=True)
async def bus_cancel_message(visit: Visit, *, id: Id) -> str:
    """Withdraw a message of yours that nobody has taken yet."""
    cancelled = await visit.desk.station.messages.cancel(id)
    return f"{cancelled.id} is {cancelled.status}"


@reading
async def bus_find_messages(
    visit: Visit,
    *,
    sender: str = "",
    to: str = "",
    kind: str = "",
    thread: str = "",
    status: str = "",
    limit: Limit = PAGE,
    cursor: Cursor = "",
) -> str:
    """Find messages that you sent or got, newest first."""
    page = await visit.desk.station.messages.list(
        sender=sender or None,
        to=to or None,
        kind=kind or None,
        thread=thread or None,
        status=status or None,
        limit=limit,
        cursor=cursor or None,
    )
    return paged([f"{glimpse(one)}, {one.status}" for one in page.messages], page.cursor)


CORE: Final[tuple[Tool, ...]] = (bus_send, bus_ask)
TOOLS: Final[tuple[Tool, ...]] = (
    bus_send_multi,
    bus_broadcast,
    bus_cancel_message,
    bus_find_messages,
)
