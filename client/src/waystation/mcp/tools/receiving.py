"""Receiving: messages are taken, answered, finished."""

from __future__ import annotations

import contextlib
from typing import Annotated, Final

from pydantic import Field

from waystation.mcp.arguments import WAIT_SECONDS, Id, Priority, WaitSeconds
from waystation.mcp.desk import Wanted
from waystation.mcp.mailbox import Rejection
from waystation.mcp.tool import Tool, Visit, acting, reading
from waystation.mcp.wording import shown_held, shown_inbox

_MAX_AT_ONCE: Final = 20


@acting()
async def bus_wait(
    visit: Visit,
    *,
    max_seconds: WaitSeconds = WAIT_SECONDS,
    limit: Annotated[int, Field(ge=1, le=_MAX_AT_ONCE)] = 5,
    kinds: list[str] | None = None,
    min_priority: Priority | None = None,
) -> str:
    """Take messages from your inbox; waits for the first.

    Finish each by bus_reply, bus_ack or bus_nack: until then nobody else gets it.
    """
    desk = visit.desk
    wanted = Wanted(limit=limit, kinds=kinds or (), min_priority=min_priority)
    taken = await desk.wait(wanted, max_seconds=max_seconds, beat=visit.beat(max_seconds))
    ids = {one.id for one in taken}
    others = [one.id for one in desk.holdings if one.id not in ids]
    unfinished = f"\nYou still hold {', '.join(others)}." if others else ""
    if not taken:
        return f"Nothing came. Call again to wait on, or go on with your work.{unfinished}"
    return "\n\n".join(shown_held(one) for one in taken) + unfinished


@reading
async def bus_inbox(
    visit: Visit, *, limit: Annotated[int, Field(ge=1, le=_MAX_AT_ONCE)] = 10
) -> str:
    """Look at what you hold and what waits for you, without taking anything."""
    desk = visit.desk
    return shown_inbox(desk.holdings, await desk.look(limit=limit))


@acting(idempotent=True)
async def bus_reply(visit: Visit, *, id: Id, body: str) -> str:
    """Answer a message that you hold, and finish it."""
    with visit.desk.holdings.finishing(id) as held:
        reply_id = await visit.desk.mailbox.reply(held, body)
    return f"replied to {held.message.from_} with {reply_id}; {held.id} is finished"


@acting(idempotent=True)
async def bus_ack(
    visit: Visit,
    *,
    ids: Annotated[list[str], Field(min_length=1, description="messages that you hold")],
) -> str:
    """Finish messages that need no answer."""
    holdings = visit.desk.holdings
    with contextlib.ExitStack() as finishing:
        held = [finishing.enter_context(holdings.finishing(one)) for one in dict.fromkeys(ids)]
        results = await visit.desk.mailbox.ack(held)
    finished = [one.id for one in results if one.problem is None]
    lost = [f"{one.id}: {one.problem.detail}" for one in results if one.problem]
    return "\n".join([f"finished {', '.join(finished) or 'nothing'}", *lost])


@acting()
async def bus_nack(
    visit: Visit,
    *,
    id: Id,
    reason: str,
    delay_seconds: Annotated[float | None, Field(ge=0, description="try again after")] = None,
    permanent: Annotated[bool, Field(description="never again: a dead letter")] = False,
) -> str:
    """Give back a message that you can't deal with; it comes again later."""
    rejection = Rejection(reason=reason, delay_seconds=delay_seconds, permanent=permanent)
    with visit.desk.holdings.finishing(id) as held:
        rejected = await visit.desk.mailbox.reject(held, rejection)
    again = (
        f", again at {rejected.next_attempt_at:%H:%M:%S} UTC" if rejected.next_attempt_at else ""
    )
    return f"gave back {held.id}: {rejected.status}{again}"


TOOLS: Final[tuple[Tool, ...]] = (bus_wait, bus_inbox, bus_reply, bus_ack, bus_nack)
