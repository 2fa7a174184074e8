"""Dead letters: what could not be delivered, why, and what is done about it (SPEC D1)."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

from broker.kernel.errors import (
    BrokerError,
    ConflictError,
    DeadLetterNotFoundError,
    ForbiddenError,
    MessageNotFoundError,
    UnknownAgentError,
)
from broker.kernel.ids import AgentId, DeadLetterId, MessageId, Partition
from broker.kernel.viewer import EVERYONE, Viewer, includes
from broker.messaging.delivery import Attempt, attempts_from
from broker.messaging.inbox_store import InboxStore
from broker.messaging.message import Message, unpack
from broker.messaging.policy import MessagePolicy
from broker.messaging.record_store import RecordStore
from broker.messaging.visibility import may_see

_PAGE: Final = 200
_SCAN_LIMIT: Final = 20_000


class DeadLetterStatus(StrEnum):
    """What has been done about a dead letter."""

    OPEN = "open"
    RETRIED = "retried"
    RESOLVED = "resolved"


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A delivery that died; times in ms. `retry_count` counts the deaths before this one."""

    id: DeadLetterId
    message_id: MessageId
    agent_id: AgentId
    reason: str
    last_error: str
    attempts: int
    history: tuple[Attempt, ...]
    failed_at: int
    status: DeadLetterStatus
    retry_count: int
    next_retry_at: int | None
    resolution: str | None
    closed_at: int | None
    message: Message | None


@dataclass(frozen=True, kw_only=True)
class DeadLetterFilter:
    """Which dead letters are meant; None for any."""

    channel: str | None = None
    agent_id: AgentId | None = None
    sender: AgentId | None = None
    reason: str | None = None
    status: DeadLetterStatus | None = None


class DeadLetterClosedError(ConflictError):
    """The dead letter was retried or resolved before."""

    code = "dead_letter_closed"


class DeadLetters:
    """Lists, retries and resolves dead letters.

    A viewer sees those of its messages, sent or received; what it may not see is answered for as if
    it were not there. It deals with its own deliveries alone, those of an agent that it is
    (SPEC Z2).
    """

    def __init__(self, records: RecordStore, inboxes: InboxStore, policy: MessagePolicy) -> None:
        self._records = records
        self._inboxes = inboxes
        self._policy = policy

    def get(self, identifier: DeadLetterId, viewer: Viewer = EVERYONE) -> DeadLetter:
        """One dead letter. Raises `DeadLetterNotFoundError`."""
        packed = self._inboxes.redis.command(
            "HGET", self._inboxes.keys.dead_letters(self._partition(identifier)), identifier
        )
        letters = self._letters([(identifier, packed)]) if packed else []
        if not letters or not _is_seen(letters[0], viewer):
            raise _unknown(identifier)
        return letters[0]

    def find(
        self,
        wanted: DeadLetterFilter,
        *,
        limit: int,
        before: DeadLetterId | None = None,
        viewer: Viewer = EVERYONE,
    ) -> tuple[list[DeadLetter], DeadLetterId | None]:
        """Dead letters newest first, and where to go on; `before` is that of the last page."""
        found: list[DeadLetter] = []
        page: list[DeadLetterId] = []
        scanned = 0
        for identifier in self._newest_first(wanted, before):
            page.append(identifier)
            scanned += 1
            if len(page) < _PAGE and scanned < _SCAN_LIMIT:
                continue
            found += self._matching(page, wanted, viewer)
            if len(found) >= limit:
                return found[:limit], found[limit - 1].id
            if scanned >= _SCAN_LIMIT:
                return found, page[-1]
            page = []
        found += self._matching(page, wanted, viewer)
        if len(found) > limit:
            return found[:limit], found[limit - 1].id
        return found, None

    def retry(self, identifier: DeadLetterId, viewer: Viewer = EVERYONE) -> MessageId:
        """Put the message back into the inbox, with its attempts anew; its id.

        Raises `DeadLetterNotFoundError`, `ForbiddenError`, `DeadLetterClosedError`,
        `MessageNotFoundError`; `UnknownAgentError` when nobody is there to read it.
        """
        letter = self._own(identifier, viewer)
        if letter.status is not DeadLetterStatus.OPEN:
            raise _closed(identifier, letter.status)
        lifetime = self._policy.record_ms(self._policy.max_ttl_ms)
        key = self._records.keys.message(letter.message_id)
        # The record must live as long as the new attempts may: prolong it before they begin.
        kept, _ = self._records.redis.commands([("EXISTS", key), ("PEXPIRE", key, lifetime, "GT")])
        if not kept:
            raise MessageNotFoundError(
                f"Message {letter.message_id} is no longer stored, so it can't be retried. "
                "Resolve the dead letter."
            )
        outcome = self._inboxes.move("retry_dead", letter.agent_id, {"letter_id": identifier})
        if outcome.name == "absent":
            raise _unknown(identifier)
        if outcome.name == "closed":
            raise _closed(identifier, outcome.values[0])
        if outcome.name == "unknown_agent":
            raise UnknownAgentError([letter.agent_id])
        return letter.message_id

    def resolve(self, identifier: DeadLetterId, resolution: str, viewer: Viewer = EVERYONE) -> None:
        """Close the case without delivering. Raises as `retry` does."""
        outcome = self._inboxes.move(
            "resolve_dead",
            self._own(identifier, viewer).agent_id,
            {"letter_id": identifier, "resolution": resolution},
        )
        if outcome.name == "absent":
            raise _unknown(identifier)
        if outcome.name == "closed":
            raise _closed(identifier, outcome.values[0])

    def retry_matching(
        self, wanted: DeadLetterFilter, *, limit: int
    ) -> list[tuple[DeadLetterId, BrokerError | None]]:
        """Retry the open dead letters that match, newest first; what refused each, if anything."""
        return [
            (letter.id, _error_of(partial(self.retry, letter.id)))
            for letter in self._open(wanted, limit)
        ]

    def resolve_matching(
        self, wanted: DeadLetterFilter, resolution: str, *, limit: int
    ) -> list[tuple[DeadLetterId, BrokerError | None]]:
        """Resolve the open dead letters that match, newest first."""
        return [
            (letter.id, _error_of(partial(self.resolve, letter.id, resolution)))
            for letter in self._open(wanted, limit)
        ]

    def retry_due(self, partition: Partition, now_ms: int, limit: int) -> int:
        """Automatic retries whose time has come, in one partition; how many."""
        key = self._inboxes.keys.dead_due(partition)
        names = self._inboxes.redis.command("ZRANGEBYSCORE", key, "-inf", now_ms, "LIMIT", 0, limit)
        for name in names:
            refused = _error_of(partial(self.retry, DeadLetterId(name.decode())))
            if refused is not None and refused.permanent:
                self._inboxes.redis.command("ZREM", key, name)
        return len(names)

    # --- reading ----------------------------------------------------------------------------

    def _own(self, identifier: DeadLetterId, viewer: Viewer) -> DeadLetter:
        letter = self.get(identifier, viewer)
        if not includes(viewer, letter.agent_id):
            raise ForbiddenError("Only its recipient and operators may deal with a dead letter.")
        return letter

    def _open(self, wanted: DeadLetterFilter, limit: int) -> list[DeadLetter]:
        only_open = DeadLetterFilter(
            channel=wanted.channel,
            agent_id=wanted.agent_id,
            sender=wanted.sender,
            reason=wanted.reason,
            status=DeadLetterStatus.OPEN,
        )
        return self.find(only_open, limit=limit)[0]

    def _partition(self, identifier: str) -> Partition:
        return self._inboxes.keys.partition_of(identifier)

    def _newest_first(
        self, wanted: DeadLetterFilter, before: DeadLetterId | None
    ) -> Iterator[DeadLetterId]:
        keys = self._inboxes.keys
        partitions = (
            [keys.partition_for(wanted.agent_id)]
            if wanted.agent_id
            else [Partition(number) for number in keys.all_partitions()]
        )
        for identifier in heapq.merge(
            *(self._index(partition) for partition in partitions), reverse=True
        ):
            # What died meanwhile has moved the rest: nothing is listed again.
            if before is None or identifier < before:
                before = identifier
                yield identifier

    def _index(self, partition: Partition) -> Iterator[DeadLetterId]:
        start = 0
        while True:
            names = self._inboxes.redis.command(
                "ZREVRANGE", self._inboxes.keys.dead_index(partition), start, start + _PAGE - 1
            )
            yield from (DeadLetterId(name.decode()) for name in names)
            if len(names) < _PAGE:
                return
            start += _PAGE

    def _matching(
        self, page: Sequence[DeadLetterId], wanted: DeadLetterFilter, viewer: Viewer
    ) -> list[DeadLetter]:
        found = self._inboxes.redis.commands(
            [
                ("HGET", self._inboxes.keys.dead_letters(self._partition(identifier)), identifier)
                for identifier in page
            ]
        )
        letters = self._letters(
            [(name, packed) for name, packed in zip(page, found, strict=True) if packed]
        )
        return [one for one in letters if _matches(one, wanted) and _is_seen(one, viewer)]

    def _letters(self, entries: Sequence[tuple[DeadLetterId, bytes]]) -> list[DeadLetter]:
        unpacked = [(identifier, unpack(packed)) for identifier, packed in entries]
        records = self._records.read([MessageId(fields[0]) for _, fields in unpacked])
        return [
            _letter(identifier, fields, message)
            for (identifier, fields), message in zip(unpacked, records, strict=True)
        ]


def _letter(identifier: DeadLetterId, fields: Sequence[Any], message: Message | None) -> DeadLetter:
    """The fields stand in the order of includes/dead_letter.lua."""
    message_id, agent, reason, error, failed_at, status, retries, next_at = fields[:8]
    delivery, resolution, closed_at = fields[8:11]
    return DeadLetter(
        id=identifier,
        message_id=MessageId(message_id),
        agent_id=AgentId(agent),
        reason=reason,
        last_error=error,
        attempts=delivery[2],
        history=attempts_from(delivery[13]),
        failed_at=failed_at,
        status=DeadLetterStatus(status),
        retry_count=retries,
        next_retry_at=int(next_at) or None,
        resolution=resolution or None,
        closed_at=closed_at or None,
        message=message,
    )


def _matches(letter: DeadLetter, wanted: DeadLetterFilter) -> bool:
    message = letter.message
    return (
        (wanted.agent_id is None or letter.agent_id == wanted.agent_id)
        and (wanted.reason is None or letter.reason == wanted.reason)
        and (wanted.status is None or letter.status is wanted.status)
        and (wanted.channel is None or (message is not None and message.channel == wanted.channel))
        and (wanted.sender is None or (message is not None and message.sender == wanted.sender))
    )


def _is_seen(letter: DeadLetter, viewer: Viewer) -> bool:
    """Whether the viewer may see it; a sender no longer, once the message is not stored."""
    if letter.message is None:
        return includes(viewer, letter.agent_id)
    return may_see(viewer, letter.message, [letter.agent_id])


def _error_of(action: Callable[[], object]) -> BrokerError | None:
    try:
        action()
    except BrokerError as error:
        return error
    return None


def _unknown(identifier: DeadLetterId) -> DeadLetterNotFoundError:
    return DeadLetterNotFoundError(f"No dead letter {identifier} is kept.")


def _closed(identifier: DeadLetterId, status: object) -> DeadLetterClosedError:
    how = status.decode() if isinstance(status, bytes) else str(status)
    return DeadLetterClosedError(f"Dead letter {identifier} was {how} before.")
