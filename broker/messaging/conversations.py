"""Direct messages as their two parties see them: with whom, what was said, what is unread (R4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from broker.kernel.clock import Clock
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId, created_ms
from broker.messaging.conversation import ConversationName, direct_with
from broker.messaging.conversation_store import ConversationStore, Counterpart
from broker.messaging.delivery import Receipt, receipt_from
from broker.messaging.inbox_store import InboxStore
from broker.messaging.message import Message, unpack
from broker.messaging.record_store import RecordStore

COUNTED: Final = 1_000
"""How many of the newest messages of a conversation are looked at to count the unread ones."""

_PAGE: Final = 200
_TOGETHER: Final = 10
# A record is stored within seconds of its id, or never: then somebody was refused, or killed.
_STORED_WITHIN_MS: Final = 3_600_000
_LAST: Final = 5

_WITHDRAWN: Final = frozenset({DeliveryState.CANCELLED, DeliveryState.SUPERSEDED})
_SEEN: Final = frozenset({DeliveryState.ACKNOWLEDGED, DeliveryState.REPLIED}) | _WITHDRAWN


@dataclass(frozen=True, kw_only=True)
class DirectConversation:
    """A conversation as one of its two parties sees it; `last_message_at` in ms.

    `unread` counts messages to this party that it has neither marked as read nor acknowledged,
    among the newest 1,000; `unread_at_least` says that there are older ones beyond.
    """

    name: ConversationName
    other: AgentId
    unread: int
    unread_at_least: bool
    last_message_at: int
    last_message_id: MessageId


@dataclass(frozen=True, kw_only=True)
class DirectMessage:
    """A message of a direct conversation, and whether its recipient has seen it (ms)."""

    message: Message
    unread: bool
    read_at: int | None


class Conversations:
    """Reads conversations in order; direct ones with what is unread of them."""

    def __init__(
        self, store: ConversationStore, records: RecordStore, inboxes: InboxStore, clock: Clock
    ) -> None:
        self._store = store
        self._records = records
        self._inboxes = inboxes
        self._clock = clock

    def history(
        self,
        name: ConversationName,
        *,
        limit: int,
        before: MessageId | None = None,
        since: int = 0,
    ) -> tuple[list[Message], MessageId | None]:
        """The newest messages in order, oldest of them first, and where the ones before begin.

        What waits for its delivery time or was withdrawn before it was routed is left out.
        `before` is that of the page before, `since` (ms) from when on messages are meant.
        """
        messages: list[Message] = []
        for ids in self._store.newest_first(name, before, max(_PAGE, limit + 1)):
            stored = [one for one in self._stored(name, ids) if one.created_at >= since]
            messages += self._shown(stored)
            if len(messages) > limit:
                break
        page = messages[:limit]
        return page[::-1], page[-1].id if len(messages) > limit else None

    def direct_history(
        self, agent: AgentId, other: AgentId, *, limit: int, before: MessageId | None = None
    ) -> tuple[list[DirectMessage], MessageId | None]:
        """What two agents said to each other, as `history`; empty if nothing is stored."""
        found, cursor = self.history(direct_with(agent, other), limit=limit, before=before)
        pairs = [(one.id, AgentId(one.to[0])) for one in found]
        copies = self._inboxes.deliveries(pairs)
        receipts = [
            _receipt(recipient, packed)
            for (_, recipient), packed in zip(pairs, copies, strict=True)
        ]
        return [
            DirectMessage(
                message=message,
                unread=receipt is None or _is_unread(receipt),
                read_at=receipt.read_at if receipt else None,
            )
            for message, receipt in zip(found, receipts, strict=True)
            if receipt is None or receipt.state not in _WITHDRAWN
        ], cursor

    def of(
        self, agent: AgentId, *, limit: int, before: Counterpart | None = None
    ) -> tuple[list[DirectConversation], Counterpart | None]:
        """The direct conversations of an agent, the last used first, and where to go on."""
        found: list[DirectConversation] = []
        last = before
        while True:
            page = self._store.counterparts(agent, last, _TOGETHER)
            for one, conversation in zip(page, self._seen_by(agent, page), strict=True):
                if conversation is not None:
                    if len(found) == limit:
                        return found, last
                    found.append(conversation)
                elif self._is_settled(one.last_at):
                    self._store.strike_off(agent, one)
                last = one
            if len(page) < _TOGETHER:
                return found, None

    def _seen_by(
        self, agent: AgentId, counterparts: Sequence[Counterpart]
    ) -> list[DirectConversation | None]:
        """What an agent has with each of these; None where nothing is stored any more."""
        names = [direct_with(agent, one.other) for one in counterparts]
        newest = self._store.newest(names, COUNTED + 1)
        looked_at = [one for ids in newest for one in ids[:COUNTED]]
        copies = self._inboxes.deliveries_of(agent, looked_at)
        receipts = iter([_receipt(agent, packed) for packed in copies])
        conversations: list[DirectConversation | None] = []
        lasts = self._last_of(names, newest)
        for name, counterpart, ids, last in zip(names, counterparts, newest, lasts, strict=True):
            of_these = [next(receipts) for _ in ids[:COUNTED]]
            conversations.append(
                None
                if last is None
                else DirectConversation(
                    name=name,
                    other=counterpart.other,
                    unread=sum(_is_unread(one) for one in of_these if one),
                    unread_at_least=len(ids) > COUNTED,
                    last_message_at=last.created_at,
                    last_message_id=last.id,
                )
            )
        return conversations

    def _last_of(
        self, names: Sequence[ConversationName], newest: Sequence[Sequence[MessageId]]
    ) -> Iterator[Message | None]:
        """The last message of each conversation; seldom more than two trips for all."""
        records = self._records.read([one for ids in newest for one in ids[:_LAST]])
        shown = {one.id: one for one in self._shown([one for one in records if one is not None])}
        for name, ids in zip(names, newest, strict=True):
            last = next((shown[one] for one in ids[:_LAST] if one in shown), None)
            if last is None and ids:
                last = next(iter(self.history(name, limit=1)[0]), None)
            yield last

    def _stored(self, name: ConversationName, ids: Sequence[MessageId]) -> list[Message]:
        """The messages of these ids; those that are gone for good are struck off."""
        if not ids:
            return []
        records = self._records.read(ids)
        gone = [
            one
            for one, record in zip(ids, records, strict=True)
            if record is None and self._is_settled(created_ms(one))
        ]
        if gone:
            self._store.forget(name, gone)
        return [record for record in records if record is not None]

    def _shown(self, messages: Sequence[Message]) -> list[Message]:
        """Those whose delivery time has come, and that were not withdrawn before."""
        now = self._clock()
        due = [one for one in messages if one.deliver_at is None or one.deliver_at <= now]
        verdicts = self._records.redis.commands(
            [("GET", self._records.keys.verdict(one.id)) for one in due]
        )
        return [
            one
            for one, verdict in zip(due, verdicts, strict=True)
            if verdict is None or verdict.decode().split(" ")[0] not in _WITHDRAWN
        ]

    def _is_settled(self, at: int) -> bool:
        return at < self._clock() - _STORED_WITHIN_MS


def _receipt(agent: AgentId, packed: bytes | None) -> Receipt | None:
    """The receipt of a packed delivery; None where the message is not one of the agent's."""
    return None if packed is None else receipt_from(agent, unpack(packed))


def _is_unread(receipt: Receipt) -> bool:
    return receipt.read_at is None and receipt.state not in _SEEN
