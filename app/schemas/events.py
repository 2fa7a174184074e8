"""Events as watchers ask for them, and as they are told (SPEC T3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, NotRequired, TypedDict, Unpack

from marshmallow import ValidationError

from app.schemas.fields import Flag, Line, agent_id_field, each, message_id_field
from app.schemas.kinds import Kind, Options
from app.schemas.shape import HeaderShape, QueryShape
from broker.kernel.clock import rfc3339
from broker.kernel.ids import AgentId, MessageId, ThreadId
from broker.kernel.viewer import Viewer
from broker.messaging.wire import Timestamp
from broker.operations.interest import Interest
from broker.operations.recent_events import Gap, Told
from broker.operations.timeline import Item, Position

_MAX_NAMES: Final = 50
_NAME_PATTERN: Final = r"^[a-z_]{1,40}\.([a-z_]{1,40}|\*)$"
_NAME: Final = re.compile(_NAME_PATTERN)
_POSITION_PATTERN: Final = "^[0-9]{1,15}-[0-9]{1,19}(-[0-9]{1,4})?$"


class _Position(Kind[Position]):
    """The id of an event, or the place before all events of a moment: `<ms>-0`."""

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__({"type": "string", "pattern": _POSITION_PATTERN}, **options)

    def _deserialize(self, value: object, *_: object, **__: object) -> Position:
        position = Position.parse(value) if isinstance(value, str) else None
        if position is None:
            raise ValidationError("must be the id of an event, or <milliseconds>-0")
        return position


class _Names(Kind[tuple[str, ...]]):
    """Names or families of events, with commas between them or repeated."""

    several = True

    def __init__(self, **options: Unpack[Options]) -> None:
        item = {"type": "string", "pattern": _NAME_PATTERN}
        super().__init__({"type": "array", "items": item, "maxItems": _MAX_NAMES}, **options)

    def _deserialize(self, value: object, *_: object, **__: object) -> tuple[str, ...]:
        if not isinstance(value, list) or len(value) > _MAX_NAMES:
            raise ValidationError(f"must be at most {_MAX_NAMES} names of events")
        return each(value, _name)


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValidationError("must be an event's name or a family: message.accepted, delivery.*")
    return value


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a watcher asks for, whatever it may see of that."""

    events: tuple[str, ...] = ()
    agent: AgentId | None = None
    message: MessageId | None = None
    thread: ThreadId | None = None
    after: Position | None = None
    follow: bool = True

    def interest(self, viewer: Viewer) -> Interest:
        """What the domain is to select for who may see this."""
        return Interest(
            events=self.events,
            agent=self.agent,
            message=self.message,
            thread=self.thread,
            viewer=viewer,
        )


class WatchShape(QueryShape[Wanted]):
    """Which events to watch; everything, where nothing is said."""

    events = _Names(description="Names or families: message.accepted, delivery.*.")
    agent = agent_id_field(description="What this agent sent or received, or is itself.")
    message = message_id_field()
    thread = Line()
    after = _Position(description="Go on behind this event; without it, from now on.")
    follow = Flag(description="False: end when all that happened so far is told.")

    def build(self, values: dict[str, Any]) -> Wanted:
        """What is asked for."""
        return Wanted(**values)


class ResumeShape(HeaderShape[Position | None]):
    """From where a browser goes on by itself when its connection was lost."""

    last_event_id = _Position(data_key="Last-Event-ID")

    def build(self, values: dict[str, Any]) -> Position | None:
        """The last event that it has seen."""
        return values.get("last_event_id")


class EventItemView(TypedDict):
    """What made the move: a message, a recipient's copy of one, an agent, or something else."""

    message_id: NotRequired[str]
    agent_id: NotRequired[str]
    id: NotRequired[str]


class EventView(TypedDict):
    """A move, by its past-tense name; `gap` says that events behind `after` may be missing."""

    event: str
    at: NotRequired[Timestamp]
    items: NotRequired[list[EventItemView]]
    after: NotRequired[str]


WATCH: Final = WatchShape()
RESUME: Final = ResumeShape()


def event_view(told: Told) -> EventView:
    """What a watcher is told."""
    if isinstance(told, Gap):
        return EventView(event="gap", after=str(told.behind))
    return EventView(
        event=told.name,
        at=rfc3339(told.position.ms),
        items=[_item_view(item) for item in told.items],
    )


def _item_view(item: Item) -> EventItemView:
    view = EventItemView()
    if item.message_id is not None:
        view["message_id"] = item.message_id
    if item.agent_id is not None:
        view["agent_id"] = item.agent_id
    if item.other_id is not None:
        view["id"] = item.other_id
    return view
