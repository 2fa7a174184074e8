"""What a message says, as its recipient reads it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from waystation.answers import Delivered, Selector


class Contents(ABC):
    """The fields of a message; those that it was sent without are None."""

    @property
    @abstractmethod
    def delivered(self) -> Delivered:
        """All of it, as the station gave it."""

    @property
    def id(self) -> str:
        """The message's id; a delivery that comes again has the same."""
        return self.delivered.id

    @property
    def from_(self) -> str:
        """Who sent it."""
        return self.delivered.from_

    @property
    def to(self) -> str | Sequence[str | Selector] | Selector:
        """Whom the sender addressed."""
        return self.delivered.to

    @property
    def kind(self) -> str:
        """What sort of message it is, such as `message` or `response`."""
        return self.delivered.kind

    @property
    def subject(self) -> str | None:
        """What it is about."""
        return self.delivered.subject

    @property
    def body(self) -> str | None:
        """Its text."""
        return self.delivered.body

    @property
    def payload(self) -> Any:  # noqa: ANN401 - any JSON
        """Its data."""
        return self.delivered.payload

    @property
    def meta(self) -> Any:  # noqa: ANN401 - any JSON
        """What its sender noted beside it."""
        return self.delivered.meta

    @property
    def priority(self) -> str | int:
        """How urgent it is: `urgent`, `high`, `normal`, `low`, or 0-9."""
        return self.delivered.priority

    @property
    def channel(self) -> str | None:
        """The channel that it was posted to."""
        return self.delivered.channel

    @property
    def thread_id(self) -> str:
        """The conversation that it belongs to."""
        return self.delivered.thread_id

    @property
    def reply_to(self) -> str | None:
        """The message that it answers."""
        return self.delivered.reply_to

    @property
    def correlation_id(self) -> str | None:
        """The sender's own mark; a reply carries that of its question."""
        return self.delivered.correlation_id

    @property
    def created_at(self) -> datetime:
        """When the station took it."""
        return self.delivered.created_at

    @property
    def expires_at(self) -> datetime:
        """Until when it may wait."""
        return self.delivered.expires_at

    @property
    def expects_reply(self) -> bool:
        """Whether it is a ticket: its sender waits for a reply."""
        return bool(self.delivered.expects_reply)

    @property
    def timeout_at(self) -> datetime | None:
        """Until when a reply is waited for."""
        return self.delivered.timeout_at

    @property
    def claimable(self) -> bool:
        """Whether it is offered to several, for the first to claim it."""
        return bool(self.delivered.claimable)

    @property
    def attempt(self) -> int:
        """Which delivery this is, from 1; an offer that was never claimed is at 0."""
        return self.delivered.attempt
