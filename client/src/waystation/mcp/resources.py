"""Resources: the inbox, messages, threads and agents, by address."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote, urlsplit

import mcp_types as types

from waystation.mcp.desk import Desk
from waystation.mcp.wording import shown, shown_inbox, text_of

INBOX: Final = "waystation://inbox"
_PAGE: Final = 20

FIXED: Final = (
    types.Resource(
        uri=INBOX,
        name="inbox",
        description="What you hold and what waits for you.",
        mime_type="text/plain",
    ),
    types.Resource(
        uri="waystation://agents",
        name="agents",
        description="The agents that you can write to.",
        mime_type="text/plain",
    ),
)

TEMPLATES: Final = (
    types.ResourceTemplate(
        uri_template="waystation://messages/{id}",
        name="message",
        description="A message and how it stands.",
        mime_type="text/plain",
    ),
    types.ResourceTemplate(
        uri_template="waystation://messages/{id}/body",
        name="body",
        description="All that the sender of a message wrote.",
        mime_type="text/plain",
    ),
    types.ResourceTemplate(
        uri_template="waystation://threads/{id}",
        name="thread",
        description="A conversation in order.",
        mime_type="text/plain",
    ),
)


async def read(desk: Desk, uri: str) -> str | None:
    """The text at an address; None where there is no such address."""
    parts = urlsplit(uri)
    segments = [parts.netloc, *(unquote(one) for one in parts.path.split("/") if one)]
    match [parts.scheme, *segments]:
        case ["waystation", "inbox"]:
            text = shown_inbox(desk.holdings, await desk.look(limit=_PAGE))
        case ["waystation", "agents"]:
            text = await _agents(desk)
        case ["waystation", "messages", message_id]:
            message = await desk.station.messages.get(message_id)
            text = shown(message, message.status)
        case ["waystation", "messages", message_id, "body"]:
            text = text_of(await desk.station.messages.get(message_id))
        case ["waystation", "threads", thread_id]:
            page = await desk.station.threads.get(thread_id, limit=100)
            text = "\n\n".join(shown(one) for one in page.messages)
        case _:
            return None
    return text


async def _agents(desk: Desk) -> str:
    page = await desk.station.agents.list(limit=100)
    return "\n".join(f"{one.id}, {one.status}" for one in page.agents)
