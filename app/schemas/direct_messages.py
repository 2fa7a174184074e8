"""Direct messages: as they are sent, and as their two parties see them (SPEC R4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypedDict

from app.schemas.fields import Whole, agent_id_field
from app.schemas.lists import TimedCursor
from app.schemas.messages import ContentsView, SendShape, contents, moment
from app.schemas.shape import QueryShape, Shape
from broker.kernel.clock import rfc3339
from broker.kernel.errors import FieldProblem
from broker.messaging.conversation import direct_with
from broker.messaging.conversation_store import Counterpart
from broker.messaging.conversations import DirectConversation, DirectMessage
from broker.messaging.message import Draft
from broker.messaging.wire import Timestamp

_PAGE: Final = 50
_MOST: Final = 100


class DirectShape(SendShape):
    """A direct message: the members of any message, to one other agent (SPEC R4)."""

    class Meta(Shape.Meta):
        """What makes a message a direct one is not its sender's to say."""

        exclude: ClassVar = ("channel", "claimable", "strategy")

    to = agent_id_field(  # type: ignore[assignment] # one agent, not any targets
        required=True, description="The other one."
    )

    def rules(self, data: Mapping[str, Any]) -> Iterable[FieldProblem]:
        """A direct message goes to another agent."""
        yield from super().rules(data)
        if data.get("to") is not None and data.get("to") == data.get("from"):
            yield FieldProblem(field="to", message="must be another agent than from")

    def build(self, values: dict[str, Any]) -> Draft:
        """The draft that the broker takes."""
        other = values.pop("to")
        channel = direct_with(values["sender"], other)
        return Draft(to=(other,), channel=channel, **values)


@dataclass(frozen=True, kw_only=True)
class FindDirect:
    """A page of an agent's direct conversations."""

    limit: int
    before: Counterpart | None


class FindDirectShape(QueryShape[FindDirect]):
    """Which direct conversations to list, the last used first."""

    limit = Whole(1, _MOST, description=f"At most so many; {_PAGE} where nothing is said.")
    cursor = TimedCursor()

    def build(self, values: dict[str, Any]) -> FindDirect:
        """The page that is asked for."""
        before = None
        if "cursor" in values:
            last_at, other = TimedCursor.read(values["cursor"])
            before = Counterpart(other=other, last_at=last_at)
        return FindDirect(limit=values.get("limit", _PAGE), before=before)


DirectConversationView = TypedDict(
    "DirectConversationView",
    {
        "channel": str,
        "with": str,
        "unread": int,
        "unread_at_least": bool,
        "last_message_at": Timestamp,
        "last_message_id": str,
    },
)
"""A direct conversation as one of its parties sees it; `with` is a word of Python."""


class DirectConversationsView(TypedDict):
    """A page of direct conversations; the cursor is null at the end."""

    conversations: list[DirectConversationView]
    cursor: str | None


class DirectMessageView(ContentsView):
    """A direct message, and whether its recipient has seen it."""

    unread: bool
    read_at: Timestamp | None


class DirectHistoryView(TypedDict):
    """A page of a conversation in order; the cursor leads to what came before it."""

    messages: list[DirectMessageView]
    cursor: str | None


def conversations_view(
    found: Iterable[DirectConversation], last: Counterpart | None
) -> DirectConversationsView:
    """A page of direct conversations."""
    return {
        "conversations": [
            {
                "channel": one.name,
                "with": one.other,
                "unread": one.unread,
                "unread_at_least": one.unread_at_least,
                "last_message_at": rfc3339(one.last_message_at),
                "last_message_id": one.last_message_id,
            }
            for one in found
        ],
        "cursor": None if last is None else TimedCursor.write(last.last_at, last.other),
    }


def direct_message_view(one: DirectMessage) -> DirectMessageView:
    """A direct message; encode with `msgspec.json`."""
    return {**contents(one.message), "unread": one.unread, "read_at": moment(one.read_at)}


DIRECT: Final = DirectShape()
FIND_DIRECT: Final = FindDirectShape()
