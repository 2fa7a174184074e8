"""Accepting messages: everything between a sender's draft and a durable record in line."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from broker.kernel.clock import Clock
from broker.kernel.errors import (
    BrokerError,
    FieldProblem,
    IdempotencyConflictError,
    InboxFullError,
    StaleEpochError,
    StorageUnavailableError,
    UnknownAgentError,
)
from broker.kernel.ids import AgentId, MessageId, Partition, ThreadId, created_ms
from broker.kernel.viewer import EVERYONE, Viewer
from broker.messaging.admissions import Admissions
from broker.messaging.composition import Composed, Composition
from broker.messaging.message import Draft, Message
from broker.messaging.outgoing_store import Admission, Outgoing, OutgoingStore
from broker.messaging.record_store import RecordStore
from broker.messaging.relations import Reference, Relations

# One script call holds up the whole server: this many messages take it about 5 ms, and so many
# recipients of one as long as a message.
_CHUNK: Final = 250
_RECIPIENTS_A_MESSAGE: Final = 10
_BLOCK_SECONDS: Final = 10.0
_BLOCK_POLL_SECONDS: Final = 0.1
# To find near names is to read all names: of a batch, the first unknown recipients get them.
_SUGGESTED: Final = 10
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

    near_names: Callable[[AgentId], tuple[AgentId, ...]]
    refusals: Callable[[Sequence[Message]], Sequence[BrokerError | None]]
    """Why messages to groups cannot be sent; None for those that can."""
    ring: Callable[[Iterable[Partition]], None]


Transition = Callable[[Partition, Sequence[Outgoing], int], tuple[bool, list[list[Any]]]]
"""Stores messages of one partition at a time in ms: whether to ring, and a verdict an item.

The verdicts are those of enqueue.lua, or `refused` with the error that says why.
"""


@dataclass(kw_only=True)
class _Candidate:
    """A message on its way into the store; `result` ends it."""

    draft: Draft
    composed: Composed
    result: Accepted | BrokerError | None = None


_Entry = _Candidate | Accepted | BrokerError
"""A draft that may be stored, or what became of one that may not."""


class MessageQueue:
    """Takes messages in (SPEC M1, M2, M4, M9, M13)."""

    def __init__(
        self,
        records: RecordStore,
        store: OutgoingStore,
        composition: Composition,
        admissions: Admissions,
        neighbours: Neighbours,
        *,
        relations: Relations,
        clock: Clock,
    ) -> None:
        self._records = records
        self._store = store
        self._composition = composition
        self._relations = relations
        self._clock = clock
        self._neighbours = neighbours
        self._admissions = admissions

    def send(self, draft: Draft, viewer: Viewer = EVERYONE) -> Accepted:
        """Store one message durably. Raises the `BrokerError` that refused it.

        It may refer to what the viewer may see; all else is unknown to it.
        """
        return _unless_refused(self.send_many([draft], viewer)[0])

    def send_many(
        self, drafts: Sequence[Draft], viewer: Viewer = EVERYONE
    ) -> list[Accepted | BrokerError]:
        """Store many; a result each, in order. A bad one does not sink the rest.

        Raises `StorageUnavailableError` when none could be stored; when Redis goes away half-way,
        those that were not stored have that error.
        """
        return self._send(
            drafts, self._store.enqueue, viewer, patience_seconds=_BLOCK_SECONDS, fresh=False
        )

    def send_by(self, transition: Transition, draft: Draft) -> Accepted:
        """Store one message by a transition that does something else in the same step.

        Never waits for room in an inbox. Raises the `BrokerError` that refused it.
        """
        return _unless_refused(
            self._send([draft], transition, EVERYONE, patience_seconds=0, fresh=True)[0]
        )

    def check(self, draft: Draft) -> None:
        """Raise what `send` would, except for a full inbox; stores nothing."""
        (entry,) = self._entries([draft], self._clock(), EVERYONE)
        if isinstance(entry, _Candidate) and entry.result is None:
            partition = self._store.keys.partition_for(draft.sender)
            self._refuse_unknown([entry], self._admitted(partition, [entry], fresh=True))
        result = _result_of(entry)
        if isinstance(result, BrokerError):
            raise result

    def _send(
        self,
        drafts: Sequence[Draft],
        transition: Transition,
        viewer: Viewer,
        *,
        patience_seconds: float,
        fresh: bool,
    ) -> list[Accepted | BrokerError]:
        now = self._clock()
        entries = self._entries(drafts, now, viewer)
        by_partition: dict[Partition, list[_Candidate]] = defaultdict(list)
        for entry in entries:
            if isinstance(entry, _Candidate) and entry.result is None:
                partition = self._store.keys.partition_of(entry.composed.message.id)
                by_partition[partition].append(entry)
        ringing = set()
        for partition, group in by_partition.items():
            for chunk in _chunks(group):
                try:
                    if self._store_chunk(
                        partition, chunk, now, transition, patience_seconds, fresh=fresh
                    ):
                        ringing.add(partition)
                except StorageUnavailableError as error:
                    if not any(isinstance(_result_of(entry), Accepted) for entry in entries):
                        raise
                    _refuse_rest(chunk, error)
        if ringing:
            self._neighbours.ring(ringing)
        return [_decided(entry) for entry in entries]

    def _entries(self, drafts: Sequence[Draft], now: int, viewer: Viewer) -> list[_Entry]:
        entries: list[_Entry] = []
        every = self._composition.compose(drafts, now, viewer)
        for draft, composed in zip(drafts, every, strict=True):
            if isinstance(composed, Composed):
                entries.append(_Candidate(draft=draft, composed=composed))
            else:
                # What it refers to may have left since the same was accepted the first time.
                first = self._first_use(draft)
                entries.append(first if isinstance(first, Accepted) else composed)
        self._refuse_groups([entry for entry in entries if isinstance(entry, _Candidate)])
        return entries

    def _refuse_groups(self, candidates: Sequence[_Candidate]) -> None:
        """Refuse what is meant for groups that it does not reach."""
        to_groups = [one for one in candidates if one.composed.address.has_groups]
        if not to_groups:
            return
        refusals = self._neighbours.refusals([one.composed.message for one in to_groups])
        for candidate, refusal in zip(to_groups, refusals, strict=True):
            if refusal is not None:
                candidate.result = self._first_use(candidate.draft) or refusal

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
        references = [_reference(candidate) for candidate in group]
        self._relations.note(references)
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
        # They are stored: what can't be noted now is made up for by whoever reads the ticket.
        with suppress(StorageUnavailableError):
            self._relations.settle(
                stored=[one for one, of in zip(references, group, strict=True) if _is_stored(of)],
                refused=[
                    one for one, of in zip(references, group, strict=True) if not _is_stored(of)
                ],
            )
        return ring

    def _admitted(
        self, partition: Partition, group: Sequence[_Candidate], *, fresh: bool
    ) -> dict[AgentId, Admission]:
        agents = dict.fromkeys(agent for one in group for agent in one.composed.address.named)
        return self._admissions.of(partition, agents, fresh=fresh)

    def _refuse_unknown(
        self, group: Sequence[_Candidate], admissions: dict[AgentId, Admission]
    ) -> None:
        suggested: dict[AgentId, tuple[AgentId, ...]] = {}
        for candidate in group:
            named = candidate.composed.address.named
            missing = [agent for agent in named if not admissions[agent].registered]
            if not missing or candidate.draft.hold_for_unknown:
                continue
            repeated = self._first_use(candidate.draft)
            for agent in missing:
                if agent not in suggested and len(suggested) < _SUGGESTED:
                    suggested[agent] = self._neighbours.near_names(agent)
            near = [name for agent in missing for name in suggested.get(agent, ())]
            candidate.result = repeated or UnknownAgentError(
                missing, dict.fromkeys(near), field="to"
            )

    def _first_use(self, draft: Draft) -> Accepted | BrokerError | None:
        """What a repeated idempotency key stands for, though its recipient has gone since."""
        if not draft.idempotency_key:
            return None
        first = self._store.idempotent_first(draft.sender, draft.idempotency_key)
        if first is None:
            return None
        identifier, fingerprint = first
        return (
            self._repeated(identifier) if fingerprint == _fingerprint(draft) else _conflict(draft)
        )

    def _conclude(self, candidate: _Candidate, verdict: Sequence[Any]) -> None:
        message = candidate.composed.message
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
            case "refused":
                candidate.result = verdict[1]
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


def _chunks(group: Iterable[_Candidate]) -> Iterator[list[_Candidate]]:
    """The candidates in order, as many at a time as one script call may store."""
    chunk: list[_Candidate] = []
    weight = 0
    for candidate in group:
        extra = len(candidate.composed.address.named) // _RECIPIENTS_A_MESSAGE
        if chunk and weight + 1 + extra > _CHUNK:
            yield chunk
            chunk, weight = [], 0
        chunk.append(candidate)
        weight += 1 + extra
    if chunk:
        yield chunk


def _outgoing(candidate: _Candidate, admissions: dict[AgentId, Admission]) -> Outgoing:
    message = candidate.composed.message
    return Outgoing(
        message=message,
        due_at=message.deliver_at,
        idempotency_key=candidate.draft.idempotency_key,
        fingerprint=_fingerprint(candidate.draft),
        epoch=candidate.draft.epoch,
        recipients=tuple(admissions[agent] for agent in message.promised),
        superseded=candidate.composed.superseded,
    )


def _reference(candidate: _Candidate) -> Reference:
    return Reference(message=candidate.composed.message, ticket=candidate.composed.ticket)


def _is_stored(candidate: _Candidate) -> bool:
    return isinstance(candidate.result, Accepted) and candidate.result.created


def _result_of(entry: _Entry) -> Accepted | BrokerError | None:
    return entry.result if isinstance(entry, _Candidate) else entry


def _decided(entry: _Entry) -> Accepted | BrokerError:
    result = _result_of(entry)
    if result is None:
        raise TypeError(entry)
    return result


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
