"""Claims: a message that several are offered is had by one."""

from __future__ import annotations

from typing import Final

from waystation.mcp.arguments import Id
from waystation.mcp.tool import RefusedError, Tool, Visit, acting, reading
from waystation.mcp.wording import row, shown_held


@acting(idempotent=True)
async def bus_claim(visit: Visit, *, id: Id) -> str:
    """Take a message that you and others are offered. bus_wait does it for what it gives you."""
    held = await visit.desk.claim(id)
    return shown_held(held)


@acting(idempotent=True)
async def bus_release_claim(visit: Visit, *, id: Id) -> str:
    """Let others have a message that you claimed; it counts as no failure."""
    with visit.desk.holdings.finishing(id) as held:
        if not held.is_claim:
            raise RefusedError(f"{id} was sent to you alone: use bus_nack to give it back.")
        await visit.desk.mailbox.release(held)
    return f"{id} is offered to all again"


@reading
async def bus_get_claim(visit: Visit, *, id: Id) -> str:
    """See who has claimed a message."""
    claim = await visit.desk.station.claims.get(id)
    return row(claim.id, status=claim.status, by=claim.agent_id, until=claim.expires_at)


TOOLS: Final[tuple[Tool, ...]] = (bus_claim, bus_release_claim, bus_get_claim)
