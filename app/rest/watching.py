"""Watching what happens as server-sent events (SPEC T3)."""

from __future__ import annotations

from typing import Final

from apiflask import APIBlueprint
from flask import Response, request

from app.access import VISIBLE_OF_ALL
from app.context import broker, context
from app.event_stream import HEADERS, MEDIA_TYPE, EventStream, bound_writing
from app.rest.operation import operation
from app.schemas.events import RESUME, WATCH, EventView, Wanted
from app.standing import Standing
from broker.operations.timeline import Position

watching: Final = APIBlueprint("watching", __name__)


@watching.get("/events")
@operation(
    "watchEvents",
    access=VISIBLE_OF_ALL,
    query=WATCH,
    headers=RESUME,
    answers={200: EventView},
    media_type=MEDIA_TYPE,
)
def watch(query: Wanted, headers: Position | None) -> Response:
    """Watch what happens, as server-sent events.

    Each event has an id; `Last-Event-ID`, which browsers send by themselves, or `after` goes on
    behind it without loss. An event `gap` says that some were no longer kept. With `follow=false`
    the stream ends when all that happened so far is told.
    """
    standing = Standing.of_caller()
    stream = EventStream(
        broker().watching.watch(
            query.interest(standing.viewer), after=headers or query.after, follow=query.follow
        ),
        standing,
        context().stopping,
    )
    response = Response(iter(stream), headers=HEADERS, content_type=MEDIA_TYPE)
    response.call_on_close(stream.close)
    response.call_on_close(bound_writing(request.environ))
    return response
