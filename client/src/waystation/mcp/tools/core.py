"""What agents do all day: send, wait, answer, finish."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from waystation.mcp.desk import Wanted
from waystation.mcp.mailbox import Held, Rejection
from waystation.mcp.tool import Tool, Visit, acting
from waystation.mcp.wording import shown_held
from waystation.transport import given

Priority = Literal["urgent", "high", "normal", "low"]

WAIT_SECONDS: Final = 45
"""Below the shortest patience of a client that is told nothing else: 60 s in the official SDKs,
Codex and Claude Desktop."""

MAX_WAIT_SECONDS: Final = 600
_MAX_AT_ONCE: Final = 20

To = Annotated[
    str | list[str],
    Field(description="agent id, channel:x, tag:x, cap:x, user, broadcast; or several"),
]


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
async def bus_wait(
    visit: Visit,
    *,
    max_seconds: Annotated[
        float, Field(ge=0, le=MAX_WAIT_SECONDS, description="0 only takes what is there")
    ] = WAIT_SECONDS,
    limit: Annotated[int, Field(ge=1, le=_MAX_AT_ONCE)] = 5,
    kinds: list[str] | None = None,
    min_priority: Priority | None = None,
) -> str:
    """Take messages from your inbox; waits for the first.

    Finish each by bus_reply, bus_ack or bus_nack: until then nobody else gets it.
    """
    desk = visit.desk
    wanted = Wanted(limit=limit, kinds=kinds or (), min_priority=min_priority)

    async def beat(passed: float) -> None:
        await visit.progress(passed, max_seconds, "nothing yet")

    taken = await desk.wait(wanted, max_seconds=max_seconds, beat=beat)
    others = [one.id for one in desk.holdings if one not in taken]
    unfinished = f"\nYou still hold {', '.join(others)}." if others else ""
    if not taken:
        return f"Nothing came. Call again to wait on, or go on with your work.{unfinished}"
    return "\n\n".join(shown_held(one) for one in taken) + unfinished


@acting(idempotent=True)
async def bus_reply(visit: Visit, *, id: str, body: str) -> str:  # noqa: A002 - what models expect
    """Answer a message that you hold, and finish it."""
    held = visit.desk.holdings.get(id)
    reply_id = await visit.desk.mailbox.reply(held, body)
    visit.desk.holdings.drop(held)
    return f"replied to {held.message.from_} with {reply_id}; {held.id} is finished"


@acting(idempotent=True)
async def bus_ack(
    visit: Visit,
    *,
    ids: Annotated[list[str], Field(min_length=1, description="messages that you hold")],
) -> str:
    """Finish messages that need no answer."""
    held = [visit.desk.holdings.get(one) for one in dict.fromkeys(ids)]
    for one in held:
        await _ack(visit, one)
    return f"finished {', '.join(one.id for one in held)}"


async def _ack(visit: Visit, held: Held) -> None:
    await visit.desk.mailbox.ack(held)
    visit.desk.holdings.drop(held)


@acting()
async def bus_nack(
    visit: Visit,
    *,
    id: str,  # noqa: A002 - what models expect
    reason: str,
    delay_seconds: Annotated[float | None, Field(ge=0, description="try again after")] = None,
    permanent: Annotated[bool, Field(description="never again: a dead letter")] = False,
) -> str:
    """Give back a message that you can't deal with; it comes again later."""
    held = visit.desk.holdings.get(id)
    rejection = Rejection(reason=reason, delay_seconds=delay_seconds, permanent=permanent)
    rejected = await visit.desk.mailbox.reject(held, rejection)
    visit.desk.holdings.drop(held)
    again = (
        f", again at {rejected.next_attempt_at:%H:%M:%S} UTC" if rejected.next_attempt_at else ""
    )
    return f"gave back {held.id}: {rejected.status}{again}"


TOOLS: Final[tuple[Tool, ...]] = (bus_send, bus_wait, bus_reply, bus_ack, bus_nack)
