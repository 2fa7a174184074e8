"""From draft to message: what a sender asks for, checked, with its id and its times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from broker.kernel.errors import BrokerError, FieldProblem, InvalidFieldsError, TooLargeError
from broker.kernel.ids import AgentId, MessageId, new_id
from broker.kernel.viewer import Viewer
from broker.messaging.conversation import channel_for, problems_of_direct
from broker.messaging.message import Draft, Envelope, Message
from broker.messaging.policy import MessagePolicy
from broker.messaging.record_store import RecordStore
from broker.messaging.visibility import Visibility

References = Mapping[MessageId, Message]
"""The messages that drafts refer to, but for those that their sender may not see."""


class Addressed(Protocol):
    """What the targets of a draft come to."""

    @property
    def to(self) -> tuple[str, ...]:
        """The targets in the form in which they are stored, each once."""

    @property
    def named(self) -> tuple[AgentId, ...]:
        """The agents that they name one by one."""

    @property
    def has_groups(self) -> bool:
        """Whether whom they mean depends on more than the message."""


@dataclass(frozen=True, kw_only=True)
class Composed:
    """A message that is not stored yet, and what it names.

    Whom it is for, the message that it replaces, and the ticket that it answers.
    """

    message: Message
    address: Addressed
    superseded: Envelope | None
    ticket: Envelope | None


class Composition:
    """Makes messages of drafts (SPEC M1, M9, M12, M13)."""

    def __init__(
        self,
        records: RecordStore,
        policy: MessagePolicy,
        visibility: Visibility,
        read_targets: Callable[[Sequence[str]], Addressed],
    ) -> None:
        """`read_targets` says what targets come to, or raises `InvalidFieldsError`."""
        self._records = records
        self._policy = policy
        self._visibility = visibility
        self._read_targets = read_targets

    def compose(
        self, drafts: Sequence[Draft], now: int, viewer: Viewer
    ) -> list[Composed | BrokerError]:
        """A message for each draft, or what is wrong with it; at most two trips for all.

        Wrong is `InvalidFieldsError` or `TooLargeError`. To refer to a message that the viewer may
        not see is as wrong as to one that never was.
        """
        references = self._references(drafts, viewer)
        composed: list[Composed | BrokerError] = []
        for draft in drafts:
            try:
                composed.append(self._compose(draft, references, now))
            except BrokerError as error:
                composed.append(error)
        return composed

    def _references(self, drafts: Sequence[Draft], viewer: Viewer) -> References:
        ids = [
            identifier
            for draft in drafts
            for identifier in (draft.reply_to, draft.supersedes)
            if identifier is not None
        ]
        if not ids:
            return {}
        stored = [message for message in self._records.read(ids) if message is not None]
        return {message.id: message for message in self._visibility.visible(viewer, stored)}

    def _compose(self, draft: Draft, references: References, now: int) -> Composed:
        address = self._checked_address(draft, references, now)
        deliver_at = draft.deliver_at if draft.delay_ms is None else now + draft.delay_ms
        if deliver_at is not None and deliver_at <= now:
            deliver_at = None
        replied_to = references.get(draft.reply_to) if draft.reply_to else None
        partition = self._records.keys.partition_for(draft.sender)
        message = Message(
            id=MessageId(new_id("msg", at_ms=now, partition=partition)),
            sender=draft.sender,
            to=address.to,
            created_at=now,
            expires_at=(deliver_at or now) + (draft.ttl_ms or self._policy.ttl_ms),
            kind=draft.kind,
            priority=draft.priority,
            channel=channel_for(draft, address.named, replied_to),
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
        return Composed(
            message=message,
            address=address,
            superseded=references.get(draft.supersedes) if draft.supersedes else None,
            ticket=replied_to if replied_to is not None and replied_to.expects_reply else None,
        )

    def _checked_address(self, draft: Draft, references: References, now: int) -> Addressed:
        """Whom the draft is for, if there is nothing wrong with it."""
        address: Addressed | None = None
        problems = list(self._problems(draft, references, now))
        try:
            address = self._read_targets(draft.to)
        except InvalidFieldsError as error:
            problems += error.problems
        else:
            problems += problems_of_direct(draft, address.named)
        if problems or address is None:
            raise InvalidFieldsError(problems)
        size = sum(len(part) for part in (draft.payload, draft.meta) if part)
        size += len(draft.body.encode()) if draft.body else 0
        most = self._policy.max_body_bytes
        if size > most:
            raise TooLargeError(
                f"Body, payload and meta take {size} bytes; at most {most} fit. "
                "Send a reference to the contents instead.",
                problems=[FieldProblem(field="body", message=f"{size} bytes are too many")],
            )
        return address

    def _problems(self, draft: Draft, references: References, now: int) -> Iterable[FieldProblem]:
        longest = self._policy.max_ttl_ms
        if draft.ttl_ms is not None and draft.ttl_ms > longest:
            yield FieldProblem(
                field="ttl_seconds", message=f"must be at most {longest / 1000:g} seconds"
            )
        if draft.timeout_ms is not None and draft.timeout_ms > longest:
            yield FieldProblem(
                field="timeout_seconds", message=f"must be at most {longest / 1000:g} seconds"
            )
        if draft.delay_ms is not None and draft.delay_ms > longest:
            yield FieldProblem(
                field="delay_seconds", message=f"must be at most {longest / 1000:g} seconds"
            )
        if draft.deliver_at is not None and draft.deliver_at - now > longest:
            yield FieldProblem(
                field="deliver_at", message=f"must be at most {longest / 1000:g} seconds ahead"
            )
        if draft.claimable and draft.strategy is not None:
            yield FieldProblem(
                field="strategy", message="excludes claimable: its recipients choose themselves"
            )
        if draft.reply_to is not None and references.get(draft.reply_to) is None:
            yield FieldProblem(field="reply_to", message="no such message is stored")
        if draft.supersedes is not None:
            superseded = references.get(draft.supersedes)
            if superseded is None:
                yield FieldProblem(field="supersedes", message="no such message is stored")
            elif superseded.sender != draft.sender:
                yield FieldProblem(field="supersedes", message="is another sender's message")
