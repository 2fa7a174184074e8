"""What became of messages: records, receipts, threads and listings (SPEC M11, M12, M15, M17)."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from broker.kernel.clock import Clock
from broker.kernel.errors import MessageNotFoundError, NotFoundError
from broker.kernel.events import DONE_STATES, FINAL_STATES, DeliveryState
from broker.kernel.ids import AgentId, MessageId, Partition, ThreadId, created_ms, is_id
from broker.kernel.viewer import EVERYONE, Viewer
from broker.messaging.delivery import Receipt, receipt_from
from broker.messaging.inbox_store import InboxStore
from broker.messaging.message import Message, unpack
from broker.messaging.record_store import RecordStore
from broker.messaging.visibility import Visibility

_PAGE: Final = 200
_SCAN_LIMIT: Final = 20_000

# From least to most advanced: a message to several stands where its slowest copy stands.
_ADVANCE: Final = tuple(DeliveryState)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A message with where it stands as a whole."""

    message: Message
    state: DeliveryState


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Which messages a listing asks for (SPEC M15); times in ms, None for any."""

    sender: AgentId | None = None
    recipient: AgentId | None = None
    kind: str | None = None
    channel: str | None = None
    thread_id: ThreadId | None = None
    state: DeliveryState | None = None
    since: int | None = None
    until: int | None = None


class UnknownThreadError(NotFoundError):
    """No message of that thread is stored."""

    code = "thread_not_found"


class MessageArchive:
    """Reads messages and what has become of them.

    What a viewer may not see is left out, and answered for as if it were not there (SPEC Z2).
    """

    def __init__(
        self, records: RecordStore, inboxes: InboxStore, visibility: Visibility, clock: Clock
    ) -> None:
        self._records = records
        self._inboxes = inboxes
        self._visibility = visibility
        self._clock = clock

    def get(self, identifier: MessageId, viewer: Viewer = EVERYONE) -> Listed:
        """A message and its state. Raises `MessageNotFoundError`."""
        message = self._message(identifier, viewer)
        return Listed(message=message, state=_overall(message, self._receipts_of(message)))

    def receipts(self, identifier: MessageId, viewer: Viewer = EVERYONE) -> list[Receipt]:
        """A receipt for each recipient (SPEC M11). Raises `MessageNotFoundError`."""
        return self._receipts_of(self._message(identifier, viewer))

    def thread(
        self,
        thread: ThreadId,
        *,
        limit: int,
        after: MessageId | None = None,
        viewer: Viewer = EVERYONE,
    ) -> tuple[list[Listed], MessageId | None]:
        """The conversation in order (SPEC M12), and where to go on. Raises `UnknownThreadError`.

        `after` is the last message of the page before.
        """
        names = self._records.redis.command(
            "ZRANGE", self._records.keys.thread(thread), 0, _SCAN_LIMIT
        )
        ids = [MessageId(name.decode()) for name in names]
        if is_id(thread):
            ids.insert(0, MessageId(thread))
        if after is not None:
            if after not in ids or (viewer is not EVERYONE and not self._stored([after], viewer)):
                raise UnknownThreadError(f"No message {after} stands in a thread {thread}.")
            ids = ids[ids.index(after) + 1 :]
        messages: list[Message] = []
        for start in range(0, len(ids), _PAGE):
            messages += self._stored(ids[start : start + _PAGE], viewer)
            if len(messages) > limit:
                break
        if not messages and after is None:
            raise UnknownThreadError(f"No message of a thread {thread} is stored.")
        page = self._with_states(messages[:limit])
        return page, page[-1].message.id if len(messages) > limit else None

    def find(
        self,
        wanted: Listing,
        *,
        limit: int,
        before: MessageId | None = None,
        viewer: Viewer = EVERYONE,
    ) -> tuple[list[Listed], MessageId | None]:
        """Messages newest first, and where to go on; `before` is that of the last page.

        A page ends early after a bounded scan, so that a rare match cannot stall the station;
        then it may be empty and still name where to go on.
        """
        found: list[Listed] = []
        scanned = 0
        page: list[MessageId] = []
        last: MessageId | None = None
        for identifier in self._newest_first(wanted, before, viewer):
            page.append(identifier)
            if len(page) < min(_PAGE, max(limit, 20)):
                continue
            found, last = self._take(found, page, wanted, limit, viewer)
            scanned += len(page)
            page = []
            if len(found) >= limit or scanned >= _SCAN_LIMIT:
                return found, last
        found, last = self._take(found, page, wanted, limit, viewer)
        return found, last if len(found) >= limit else None

    def _take(
        self,
        found: list[Listed],
        page: list[MessageId],
        wanted: Listing,
        limit: int,
        viewer: Viewer,
    ) -> tuple[list[Listed], MessageId | None]:
        messages = [message for message in self._records.read(page) if message is not None]
        candidates = [message for message in messages if _matches(message, wanted)]
        if wanted.recipient is not None:
            candidates = self._meant_for(wanted.recipient, candidates)
        for listed in self._with_states(self._visibility.visible(viewer, candidates)):
            if wanted.state is None or listed.state is wanted.state:
                found.append(listed)
                if len(found) >= limit:
                    return found, listed.message.id
        return found, page[-1] if page else None

    def _meant_for(self, agent: AgentId, messages: list[Message]) -> list[Message]:
        """Those of the messages that go to this agent; at most one trip for all.

        Who has a message that does not say it all was noted when that was routed.
        """
        unsaid = [message for message in messages if len(message.promised) < len(message.to)]
        keys = [self._records.keys.audience(message.id) for message in unsaid]
        replies = self._records.redis.commands(
            [command for key in keys for command in (("EXISTS", key), ("SISMEMBER", key, agent))]
        )
        noted = {
            message.id: bool(replies[2 * index + 1])
            for index, message in enumerate(unsaid)
            if replies[2 * index]
        }
        return [message for message in messages if noted.get(message.id, agent in message.named)]

    def _newest_first(
        self, wanted: Listing, before: MessageId | None, viewer: Viewer = EVERYONE
    ) -> Iterator[MessageId]:
        """Every message that may be wanted, once; others may be among them."""
        keys = self._records.keys
        received: list[MessageId] | None = None
        partitions = {Partition(number) for number in keys.all_partitions()}
        if wanted.sender:
            partitions = {keys.partition_for(wanted.sender)}
        elif viewer is not None:
            received = self._visibility.received(viewer)
            if received is not None:
                partitions = {keys.partition_for(agent) for agent in viewer}
        streams = [self._history(partition, wanted, before) for partition in partitions]
        streams.append(_entries(received or (), wanted, before))
        last = None
        for _, identifier in heapq.merge(*streams, reverse=True):
            if identifier != last:
                last = identifier
                yield identifier

    def _history(
        self, partition: Partition, wanted: Listing, before: MessageId | None
    ) -> Iterator[tuple[int, MessageId]]:
        """Ids of one partition with their time, newest first."""
        highest: int | str = "+inf" if wanted.until is None else wanted.until
        if before is not None:
            bound = created_ms(before)
            highest = bound if highest == "+inf" else min(bound, int(highest))
        lowest = "-inf" if wanted.since is None else wanted.since
        last = None if before is None else (created_ms(before), before)
        start = 0
        while True:
            entries = self._records.redis.command(
                "ZREVRANGEBYSCORE",
                self._records.keys.history(partition),
                highest,
                lowest,
                "WITHSCORES",
                "LIMIT",
                start,
                _PAGE,
            )
            for name, score in zip(entries[::2], entries[1::2], strict=True):
                entry = (int(score), MessageId(name.decode()))
                # What came meanwhile has moved the rest: nothing is listed again.
                if last is None or entry < last:
                    last = entry
                    yield entry
            if len(entries) < 2 * _PAGE:
                return
            start += _PAGE

    # --- receipts ---------------------------------------------------------------------------

    def _message(self, identifier: MessageId, viewer: Viewer) -> Message:
        found = self._stored([identifier], viewer)
        if not found:
            raise MessageNotFoundError(
                f"No message {identifier} is stored: it never was, or its retention has passed."
            )
        return found[0]

    def _stored(self, ids: Sequence[MessageId], viewer: Viewer) -> list[Message]:
        """Those of these messages that are stored, and the viewer's to see."""
        stored = [message for message in self._records.read(ids) if message is not None]
        return self._visibility.visible(viewer, stored)

    def _receipts_of(self, message: Message) -> list[Receipt]:
        return self._receipts([message])[0]

    def _with_states(self, messages: list[Message]) -> list[Listed]:
        return [
            Listed(message=message, state=_overall(message, receipts))
            for message, receipts in zip(messages, self._receipts(messages), strict=True)
        ]

    def _receipts(self, messages: list[Message]) -> list[list[Receipt]]:
        """The receipts of each message; two trips for all of them, or some more for thousands."""
        keys, now = self._records.keys, self._clock()
        known = self._records.redis.commands(
            [
                command
                for message in messages
                for command in (
                    ("GET", keys.verdict(message.id)),
                    ("SMEMBERS", keys.audience(message.id)),
                )
            ]
        )
        audiences: list[tuple[AgentId, ...]] = []
        for index, message in enumerate(messages):
            # Without an audience, yet or at all, a message stands where its targets are.
            noted = sorted(AgentId(name.decode()) for name in known[2 * index + 1] if name)
            audiences.append(tuple(noted or map(AgentId, message.to)))
        packed = iter(
            self._inboxes.deliveries(
                [
                    (message.id, agent)
                    for message, audience in zip(messages, audiences, strict=True)
                    for agent in audience
                ]
            )
        )
        return [
            [
                _receipt(message, agent, next(packed), known[2 * index], now)
                for agent in audiences[index]
            ]
            for index, message in enumerate(messages)
        ]


def _entries(
    ids: Iterable[MessageId], wanted: Listing, before: MessageId | None
) -> Iterator[tuple[int, MessageId]]:
    """Ids that are given newest first, as the history of a partition gives them."""
    last = None if before is None else (created_ms(before), before)
    for identifier in ids:
        at = created_ms(identifier)
        if (
            (wanted.until is None or at <= wanted.until)
            and (wanted.since is None or at >= wanted.since)
            and (last is None or (at, identifier) < last)
        ):
            yield at, identifier


def _receipt(
    message: Message, agent: AgentId, packed: bytes | None, verdict: bytes | None, now: int
) -> Receipt:
    if packed is not None:
        fields = unpack(packed)
        receipt, expires_at = receipt_from(agent, fields), fields[5]
        unfinished = receipt.state not in FINAL_STATES and receipt.state != DeliveryState.LEASED
        # The delivery's own time counts: a dead letter that is retried lives once more.
        if unfinished and expires_at <= now:
            # Its life is over, whether or not a sweep has passed.
            return _ended(receipt, DeliveryState.EXPIRED, expires_at)
        return receipt
    accepted = Receipt(agent_id=agent, state=DeliveryState.ACCEPTED)
    if verdict is not None:
        state, at = verdict.decode().split(" ")
        return _ended(accepted, DeliveryState(state), int(at))
    if message.expires_at <= now:
        return _ended(accepted, DeliveryState.EXPIRED, message.expires_at)
    if message.deliver_at is not None and message.deliver_at > now:
        return Receipt(agent_id=agent, state=DeliveryState.DELAYED)
    return accepted


def _ended(receipt: Receipt, state: DeliveryState, at: int) -> Receipt:
    return Receipt(
        agent_id=receipt.agent_id,
        state=state,
        attempts=receipt.attempts,
        routed_at=receipt.routed_at,
        delivered_at=receipt.delivered_at,
        read_at=receipt.read_at,
        finished_at=at,
        history=receipt.history,
    )


def _overall(message: Message, receipts: list[Receipt]) -> DeliveryState:
    states = [receipt.state for receipt in receipts]
    # One recipient's work is all that a claimable message asks for.
    done = [state for state in states if message.claimable and state in DONE_STATES]
    return min(done or states, key=_ADVANCE.index)


def _matches(message: Message, wanted: Listing) -> bool:
    return (
        (wanted.sender is None or message.sender == wanted.sender)
        and (wanted.kind is None or message.kind == wanted.kind)
        and (wanted.channel is None or message.channel == wanted.channel)
        and (wanted.thread_id is None or message.thread == wanted.thread_id)
    )
