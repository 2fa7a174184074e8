"""Lists of messages: which ones, a page at a time (SPEC M12, M15)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypedDict

from app.schemas.fields import (
    Choice,
    Identifier,
    Line,
    Moment,
    Whole,
    agent_id_field,
    message_id_field,
)
from app.schemas.messages import MessageView, ReceiptView
from app.schemas.shape import QueryShape
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AGENT_ID_PATTERN, AgentId, MessageId
from broker.messaging.receipts import Listing

_MAX_PAGE: Final = 1000
_PAGE: Final = 100


def page_limit() -> Whole:
    """How many entries a page may have."""
    return Whole(1, _MAX_PAGE, description=f"At most so many; {_PAGE} where nothing is said.")


@dataclass(frozen=True, kw_only=True)
class FindMessages:
    """A page of the messages that are meant."""

    wanted: Listing
    limit: int
    before: MessageId | None


class FindMessagesShape(QueryShape[FindMessages]):
    """Which messages to list, newest first."""

    sender = agent_id_field(data_key="from")
    recipient = agent_id_field(data_key="to")
    kind = Line()
    channel = Line()
    thread_id = Line(data_key="thread")
    state = Choice(DeliveryState, data_key="status")
    since = Moment(description="Accepted then or later.")
    until = Moment(description="Accepted then or before.")
    limit = page_limit()
    before = message_id_field(data_key="cursor", description="Go on behind this one.")

    def build(self, values: dict[str, Any]) -> FindMessages:
        """The page that is asked for."""
        count, before = values.pop("limit", _PAGE), values.pop("before", None)
        return FindMessages(wanted=Listing(**values), limit=count, before=before)


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of a conversation."""

    limit: int
    after: MessageId | None


class PageShape(QueryShape[Page]):
    """Which page of a conversation."""

    limit = page_limit()
    after = message_id_field(data_key="cursor", description="Go on behind this one.")

    def build(self, values: dict[str, Any]) -> Page:
        """The page that is asked for."""
        return Page(limit=values.get("limit", _PAGE), after=values.get("after"))


@dataclass(frozen=True, kw_only=True)
class Back:
    """A page of a history, from the newest back."""

    limit: int
    before: MessageId | None


class BackShape(QueryShape[Back]):
    """Which page of a history; without a cursor the newest one."""

    limit = page_limit()
    before = message_id_field(data_key="cursor", description="Go on with what came before it.")

    def build(self, values: dict[str, Any]) -> Back:
        """The page that is asked for."""
        return Back(limit=values.get("limit", _PAGE), before=values.get("before"))


class TimedCursor(Identifier):
    """Where a list of agents goes on that stands in the order of a time."""

    _PATTERN: Final = rf"^[0-9]{{1,15}}:{AGENT_ID_PATTERN.removeprefix('^')}"

    def __init__(self) -> None:
        super().__init__(
            self._PATTERN, "the cursor of a page before", description="Go on behind this one."
        )

    @staticmethod
    def write(at: int, agent: AgentId) -> str:
        """The cursor behind an agent and its time in ms."""
        return f"{at}:{agent}"

    @staticmethod
    def read(cursor: str) -> tuple[int, AgentId]:
        """The time in ms and the agent of a cursor."""
        at, _, agent = cursor.partition(":")
        return int(at), AgentId(agent)


class MessagesView(TypedDict):
    """A page of messages; the cursor is null at the end."""

    messages: list[MessageView]
    cursor: str | None


class ReceiptsView(TypedDict):
    """What has become of a message, recipient by recipient."""

    receipts: list[ReceiptView]


FIND_MESSAGES: Final = FindMessagesShape()
PAGE: Final = PageShape()
BACK: Final = BackShape()
