"""Accepting messages: everything between a sender's draft and a durable record in line."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from broker.kernel.clock import Clock
from broker.kernel.errors import (
    BrokerError,
    FieldProblem,
    IdempotencyConflictError,
    InboxFullError,
    InvalidFieldsError,
    StaleEpochError,
    StorageUnavailableError,
    TooLargeError,
    UnknownAgentError,
)
from broker.kernel.ids import AgentId, MessageId, Partition, ThreadId, created_ms, new_id
from broker.messaging.admissions import Admissions
from broker.messaging.message import Draft, Envelope, Message
from broker.messaging.outgoing_store import Admission, Outgoing, OutgoingStore
from broker.messaging.policy import MessagePolicy
from broker.messaging.record_store import RecordStore

# One script call holds up the whole server: this many messages take it about 5 ms.
_CHUNK: Final = 250
_BLOCK_SECONDS: Final = 10.0
_BLOCK_POLL_SECONDS: Final = 0.1
_FULL_RETRY_AFTER_SECONDS: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A message that is on disk; `created` is False where an idempotency key was repeated."""

    id: MessageId
    thread_id: ThreadId
    accepted_at: int
    created: bool


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """What the queue asks of other contexts; `wiring` hands it in."""

    named_recipients: Callable[[Sequence[str]], tuple[AgentId, ...]]
    near_names: Callable[[AgentId], tuple[AgentId, ...]]
    ring: Callable[[Iterable[Partition]], None]


Transition = Callable[[Partition, Sequence[Outgoing], int], tuple[bool, list[list[Any]]]]
"""Stores messages of one partition at a time in ms: whether to ring, and a verdict an item."""


@dataclass(kw_only=True)
class _Candidate:
    """A draft on its way through the checks; `result` ends it."""

    draft: Draft
    message: Message | None = None
    recipients: tuple[AgentId, ...] = ()
    superseded: Envelope | None = None
    result: Accepted | BrokerError | None = None


class MessageQueue:
    """Takes messages in (SPEC M1, M2, M4, M9, M13)."""

    def __init__(
        self,
        records: RecordStore,
        store: OutgoingStore,
        admissions: Admissions,
        neighbours: Neighbours,
        *,
        policy: MessagePolicy,
        clock: Clock,
    ) -> None:
        self._records = records
        self._store = store
        self._policy = policy
        self._clock = clock
        self._neighbours = neighbours
        self._admissions = admissions

    def send(self, draft: Draft) -> Accepted:
        """Store one message durably. Raises the `BrokerError` that refused it."""
        return _unless_refused(self.send_many([draft])[0])

    def send_many(self, drafts: Sequence[Draft]) -> list[Accepted | BrokerError]:
        """Store many; a result each, in order. A bad one does not sink the rest.

        Raises `StorageUnavailableError` when none could be stored; when Redis goes away half-way,
        those that were not stored have that error.
        """
        return self._send(drafts, self._store.enqueue, patience_seconds=_BLOCK_SECONDS, fresh=False)

    def send_by(self, transition: Transition, draft: Draft) -> Accepted:
        """Store one message by a transition that does something else in the same step.

        Never waits for room in an inbox. Raises the `BrokerError` that refused it.
        """
        return _unless_refused(self._send([draft], transition, patience_seconds=0, fresh=True)[0])

    def check(self, draft: Draft) -> None:
        """Raise what `send` would, except for a full inbox; stores nothing."""
        candidate = _Candidate(draft=draft)
        self._compose([candidate], self._clock())
        if candidate.result is None:
            partition = self._store.keys.partition_for(draft.sender)
            self._refuse_unknown([candidate], self._admitted(partition, [candidate], fresh=True))
        if isinstance(candidate.result, BrokerError):
            raise candidate.result

    def _send(
        self,
        drafts: Sequence[Draft],
        transition: Transition,
        *,
        patience_seconds: float,
        fresh: bool,
    ) -> list[Accepted | BrokerError]:
        now = self._clock()
        candidates = [_Candidate(draft=draft) for draft in drafts]
        self._compose(candidates, now)
        by_partition: dict[Partition, list[_Candidate]] = defaultdict(list)
        for candidate in candidates:
            if candidate.message is not None:
                by_partition[self._store.keys.partition_of(candidate.message.id)].append(candidate)
        ringing = set()
        for partition, group in by_partition.items():
            for start in range(0, len(group), _CHUNK):
                chunk = group[start : start + _CHUNK]
                try:
                    if self._store_chunk(
                        partition, chunk, now, transition, patience_seconds, fresh=fresh
                    ):
                        ringing.add(partition)
                except StorageUnavailableError as error:
                    if not any(isinstance(one.result, Accepted) for one in candidates):
                        raise
                    _refuse_rest(chunk, error)
        if ringing:
            self._neighbours.ring(ringing)
        return [_decided(candidate) for candidate in candidates]

    # --- from draft to message --------------------------------------------------------------

    def _compose(self, candidates: Sequence[_Candidate], now: int) -> None:
        references = self._references(candidates)
        for candidate in candidates:
            try:
                self._compose_one(candidate, references, now)
            except BrokerError as error:
                # What it refers to may have left since the same was accepted the first time.
                first = self._first_use(candidate)
                candidate.result = first if isinstance(first, Accepted) else error

    def _references(self, candidates: Sequence[_Candidate]) -> dict[MessageId, Message | None]:
        ids = [
            identifier
            for candidate in candidates
            for identifier in (candidate.draft.reply_to, candidate.draft.supersedes)
            if identifier is not None
        ]
        return dict(zip(ids, self._records.read(ids), strict=True)) if ids else {}

    def _compose_one(
        self, candidate: _Candidate, references: dict[MessageId, Message | None], now: int
    ) -> None:
        draft, policy = candidate.draft, self._policy
        problems = list(self._problems(draft, references, now))
        try:
            candidate.recipients = self._neighbours.named_recipients(draft.to)
        except InvalidFieldsError as error:
            problems += error.problems
        if problems:
            raise InvalidFieldsError(problems)
        size = sum(len(part) for part in (draft.payload, draft.meta) if part)
        size += len(draft.body.encode()) if draft.body else 0
        if size > policy.max_body_bytes:
            raise TooLargeError(
                f"Body, payload and meta take {size} bytes; at most {policy.max_body_bytes} fit. "
                "Send a reference to the contents instead.",
                problems=[FieldProblem(field="body", message=f"{size} bytes are too many")],
            )
        if draft.supersedes:
            candidate.superseded = references[draft.supersedes]
        deliver_at = draft.deliver_at if draft.delay_ms is None else now + draft.delay_ms
        if deliver_at is not None and deliver_at <= now:
            deliver_at = None
        replied_to = references.get(draft.reply_to) if draft.reply_to else None
        partition = self._store.keys.partition_for(draft.sender)
        candidate.message = Message(
            id=MessageId(new_id("msg", at_ms=now, partition=partition)),
            sender=draft.sender,
            to=candidate.recipients or draft.to,
            created_at=now,
            expires_at=(deliver_at or now) + (draft.ttl_ms or policy.ttl_ms),
            kind=draft.kind,
            priority=draft.priority,
            channel=draft.channel,
            thread_id=draft.thread_id or (replied_to.thread if replied_to else None),
            reply_to=draft.reply_to,
            correlation_id=draft.correlation_id,
            deliver_at=deliver_at,
            expects_reply=draft.expects_reply,
            timeout_ms=draft.timeout_ms,
            claimable=draft.claimable,
            strategy=draft.strategy,
            max_attempts=draft.max_attempts,
            supersedes=draft.supersedes,
            hold_for_unknown=draft.hold_for_unknown,
            subject=draft.subject,
            body=draft.body,
            payload=draft.payload,
            meta=draft.meta,
        )

    def _problems(
        self, draft: Draft, references: dict[MessageId, Message | None], now: int
    ) -> Iterable[FieldProblem]:
        longest = self._policy.max_ttl_ms
        if draft.ttl_ms is not None and draft.ttl_ms > longest:
            yield FieldProblem(
                field="ttl_seconds", message=f"must be at most {longest / 1000:g} seconds"
            )
        if draft.delay_ms is not None and draft.delay_ms > longest:
            yield FieldProblem(
                field="delay_seconds", message=f"must be at most {longest / 1000:g} seconds"
            )
        if draft.deliver_at is not None and draft.deliver_at - now > longest:
            yield FieldProblem(
                field="deliver_at", message=f"must be at most {longest / 1000:g} seconds ahead"
            )
        if draft.reply_to is not None and references.get(draft.reply_to) is None:
            yield FieldProblem(field="reply_to", message="no such message is stored")
        if draft.supersedes is not None:
            superseded = references.get(draft.supersedes)
            if superseded is None:
                yield FieldProblem(field="supersedes", message="no such message is stored")
            elif superseded.sender != draft.sender:
                yield FieldProblem(field="supersedes", message="is another sender's message")

    # --- from message to record -------------------------------------------------------------

    def _store_chunk(
        self,
        partition: Partition,
        group: Sequence[_Candidate],
        now: int,
        transition: Transition,
        patience_seconds: float,
        *,
        fresh: bool,
    ) -> bool:
        """Whether to ring. Who is refused by what was remembered is asked for again, `fresh`."""
        self._join_threads(group)
        ring = False
        waiting = list(group)
        deadline = time.monotonic() + patience_seconds
        while waiting:
            admissions = self._admitted(partition, waiting, fresh=fresh)
            self._refuse_unknown(waiting, admissions)
            waiting = [candidate for candidate in waiting if candidate.result is None]
            if not waiting:
                break
            rung, verdicts = transition(
                partition, [_outgoing(candidate, admissions) for candidate in waiting], now
            )
            ring |= rung
            blocked = []
            for candidate, verdict in zip(waiting, verdicts, strict=True):
                if verdict[0] == "full" and (
                    not fresh
                    or (admissions[verdict[1]].on_full == "block" and time.monotonic() < deadline)
                ):
                    blocked.append(candidate)
                else:
                    self._conclude(candidate, verdict)
            waiting = blocked
            if waiting and fresh:
                time.sleep(_BLOCK_POLL_SECONDS)
            fresh = True
        return ring

    def _join_threads(self, group: Sequence[_Candidate]) -> None:
        for candidate in group:
            message = candidate.message
            if message is not None and message.thread_id is not None:
                lifetime = self._policy.record_ms(message.expires_at - message.created_at)
                self._store.join_thread(message, lifetime)

    def _admitted(
        self, partition: Partition, group: Sequence[_Candidate], *, fresh: bool
    ) -> dict[AgentId, Admission]:
        agents = dict.fromkeys(agent for one in group for agent in one.recipients)
        return self._admissions.of(partition, agents, fresh=fresh)

    def _refuse_unknown(
        self, group: Sequence[_Candidate], admissions: dict[AgentId, Admission]
    ) -> None:
        for candidate in group:
            missing = [agent for agent in candidate.recipients if not admissions[agent].registered]
            if not missing or candidate.draft.hold_for_unknown:
                continue
            repeated = self._first_use(candidate)
            near = [name for agent in missing for name in self._neighbours.near_names(agent)]
            candidate.result = repeated or UnknownAgentError(
                missing, dict.fromkeys(near), field="to"
            )

    def _first_use(self, candidate: _Candidate) -> Accepted | BrokerError | None:
        """What a repeated idempotency key stands for, though its recipient has gone since."""
        draft = candidate.draft
        if not draft.idempotency_key:
            return None
        first = self._store.idempotent_first(draft.sender, draft.idempotency_key)
        if first is None:
            return None
        identifier, fingerprint = first
        return (
            self._repeated(identifier) if fingerprint == _fingerprint(draft) else _conflict(draft)
        )

    def _conclude(self, candidate: _Candidate, verdict: Sequence[str]) -> None:
        message = candidate.message
        if message is None:
            return
        match verdict[0]:
            case "accepted":
                candidate.result = Accepted(
                    id=message.id,
                    thread_id=message.thread,
                    accepted_at=message.created_at,
                    created=True,
                )
            case "repeated":
                candidate.result = self._repeated(MessageId(verdict[1]))
            case "conflict":
                candidate.result = _conflict(candidate.draft)
            case "stale_epoch":
                candidate.result = StaleEpochError(
                    f"A newer session of {message.sender} (epoch {verdict[1]}) has taken over."
                )
            case _:
                candidate.result = InboxFullError(
                    f"The inbox of {verdict[1]} is at its limit. Send again later.",
                    retry_after_seconds=_FULL_RETRY_AFTER_SECONDS,
                    problems=[FieldProblem(field="to", message=f"inbox of {verdict[1]} is full")],
                )

    def _repeated(self, identifier: MessageId) -> Accepted:
        record = self._records.read([identifier])[0]
        return Accepted(
            id=identifier,
            thread_id=record.thread if record else ThreadId(identifier),
            accepted_at=record.created_at if record else created_ms(identifier),
            created=False,
        )


def _outgoing(candidate: _Candidate, admissions: dict[AgentId, Admission]) -> Outgoing:
    message = candidate.message
    if message is None:
        raise TypeError(candidate)
    return Outgoing(
        message=message,
        due_at=message.deliver_at,
        idempotency_key=candidate.draft.idempotency_key,
        fingerprint=_fingerprint(candidate.draft),
        epoch=candidate.draft.epoch,
        recipients=tuple(admissions[agent] for agent in candidate.recipients),
        superseded=candidate.superseded,
    )


def _decided(candidate: _Candidate) -> Accepted | BrokerError:
    if candidate.result is None:
        raise TypeError(candidate)
    return candidate.result


def _refuse_rest(candidates: Iterable[_Candidate], error: BrokerError) -> None:
    for candidate in candidates:
        if candidate.result is None:
            candidate.result = error


def _unless_refused(result: Accepted | BrokerError) -> Accepted:
    if isinstance(result, BrokerError):
        raise result
    return result


def _fingerprint(draft: Draft) -> str:
    """A digest of what the sender asked for: the same key with another digest is a conflict."""
    if not draft.idempotency_key:
        return ""
    asked = dataclasses.replace(draft, idempotency_key=None, epoch=None)
    return hashlib.blake2b(msgspec.msgpack.encode(asked), digest_size=16).hexdigest()


def _conflict(draft: Draft) -> IdempotencyConflictError:
    return IdempotencyConflictError(
        f"{draft.sender} used this idempotency key for a different message. "
        "Use a new key, or send exactly the first message again.",
        problems=[FieldProblem(field="idempotency_key", message="stands for another message")],
    )
