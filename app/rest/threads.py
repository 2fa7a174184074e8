"""Threads: conversations in order (SPEC M12)."""

from __future__ import annotations

from apiflask import APIBlueprint
from flask import Response

from app.access import VISIBLE, viewer
from app.context import broker
from app.json_document import answer
from app.rest.operation import operation
from app.schemas.lists import PAGE, MessagesView, Page
from app.schemas.messages import listed
from broker.kernel.ids import ThreadId

threads = APIBlueprint("threads", __name__)


@threads.get("/threads/<thread_id>")
@operation(
    "getThread",
    access=VISIBLE,
    query=PAGE,
    answers={200: MessagesView},
    errors=("thread_not_found",),
)
def get(thread_id: ThreadId, query: Page) -> Response:
    """Show a conversation, oldest message first."""
    found, cursor = broker().archive.thread(
        thread_id, limit=query.limit, after=query.after, viewer=viewer()
    )
    return answer(MessagesView(messages=[listed(one) for one in found], cursor=cursor))
