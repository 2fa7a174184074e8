"""What a message is: the draft that a sender hands in, and the record that is stored of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import msgspec

from broker.kernel.ids import AgentId, MessageId, ThreadId
from broker.kernel.priority import NORMAL

BROADCAST: Final = "broadcast"
"""The target that means everyone (SPEC M14)."""
MAX_NAME: Final = 256
"""The longest target that is no selector, in characters."""
MAX_LEAVES: Final = 100
"""How many targets the selectors of one message may hold in all."""

JsonText = bytes
"""JSON as it came, UTF-8: kept as text, so that large numbers and key order survive."""


class Strategy(StrEnum):
    """How one of several recipients is picked (SPEC R2)."""

    ROUND_ROBIN = "round_robin"
    LEAST_LOADED = "least_loaded"
    RANDOM = "random"
    STICKY = "sticky"


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message as its sender asks for it (SPEC M1); times in ms, durations in ms.

    `to` is one target or several; `None` stands for what the sender left open.
    """

    sender: AgentId
    to: tuple[str, ...]
    body: str | None = None
    payload: JsonText | None = None
    kind: str = "chat"
    subject: str | None = None
    meta: JsonText | None = None
    priority: int = NORMAL
    channel: str | None = None
    thread_id: ThreadId | None = None
    reply_to: MessageId | None = None
    correlation_id: str | None = None
    idempotency_key: str | None = None
    ttl_ms: int | None = None
    delay_ms: int | None = None
    deliver_at: int | None = None
    expects_reply: bool = False
    timeout_ms: int | None = None
    claimable: bool = False
    strategy: Strategy | None = None
    max_attempts: int | None = None
    supersedes: MessageId | None = None
    hold_for_unknown: bool = False
    epoch: int | None = None


Unpacked = Any
"""What a script packed: its type is the script's."""

_SHORT_NAMES = {
    "id": "i",
    "sender": "f",
    "to": "t",
    "kind": "k",
    "subject": "s",
    "body": "b",
    "payload": "y",
    "meta": "m",
    "priority": "p",
    "channel": "c",
    "thread_id": "h",
    "reply_to": "r",
    "correlation_id": "o",
    "created_at": "a",
    "expires_at": "e",
    "deliver_at": "d",
    "expects_reply": "x",
    "timeout_ms": "w",
    "claimable": "l",
    "strategy": "g",
    "max_attempts": "n",
    "supersedes": "u",
    "hold_for_unknown": "q",
}


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_SHORT_NAMES):
    """All of a message but its contents: what routing decides by. Times are ms since the epoch."""

    id: MessageId
    sender: AgentId
    to: tuple[str, ...]
    created_at: int
    expires_at: int
    kind: str = "chat"
    priority: int = NORMAL
    channel: str | None = None
    thread_id: ThreadId | None = None
    reply_to: MessageId | None = None
    correlation_id: str | None = None
    deliver_at: int | None = None
    expects_reply: bool = False
    timeout_ms: int | None = None
    claimable: bool = False
    strategy: Strategy | None = None
    max_attempts: int | None = None
    supersedes: MessageId | None = None
    hold_for_unknown: bool = False

    @property
    def thread(self) -> ThreadId:
        """The conversation that it belongs to; a message that starts one lends it its own id."""
        return self.thread_id or ThreadId(self.id)

    @property
    def named(self) -> tuple[AgentId, ...]:
        """The agents that it names one by one: every other target but a broadcast has a colon."""
        return tuple([AgentId(one) for one in self.to if ":" not in one and one != BROADCAST])

    @property
    def promised(self) -> tuple[AgentId, ...]:
        """Those in whose inboxes it is granted a place when it is accepted.

        Of a message that goes to one of several, or that one of several will claim, nobody knows
        yet whose room it takes.
        """
        return () if self.strategy or self.claimable else self.named

    @property
    def accepted_at(self) -> int:
        """From when its way to the recipient is counted: acceptance, or its delivery time."""
        return self.deliver_at or self.created_at

    @property
    def correlation(self) -> str:
        """By what the replies to it are known: what the asker said, or its own id."""
        return self.correlation_id or self.id

    @property
    def timeout_at(self) -> int | None:
        """When a ticket's wait for a reply is over; None for what expects none (SPEC M10)."""
        if not self.expects_reply:
            return None
        return self.expires_at if self.timeout_ms is None else self.accepted_at + self.timeout_ms

    @property
    def needed_until(self) -> int:
        """How long its record matters at least: for its life, and while a reply is awaited."""
        return max(self.expires_at, self.timeout_at or 0)


class Message(Envelope, frozen=True, kw_only=True, omit_defaults=True, rename=_SHORT_NAMES):
    """The stored record of a message: immutable, one encoded string (DESIGN section 2)."""

    subject: str | None = None
    body: str | None = None
    payload: JsonText | None = None
    meta: JsonText | None = None


_encoder = msgspec.msgpack.Encoder()
_message_decoder = msgspec.msgpack.Decoder(Message)
_envelope_decoder = msgspec.msgpack.Decoder(Envelope)


def encode(message: Message) -> bytes:
    """The record as it is stored."""
    return _encoder.encode(message)


def decode(record: bytes) -> Message:
    """The message of a stored record."""
    return _message_decoder.decode(record)


def decode_envelope(record: bytes) -> Envelope:
    """The envelope of a stored record; the contents are skipped, not copied."""
    return _envelope_decoder.decode(record)


def pack(value: object) -> bytes:
    """A value as msgpack, for a script's `cmsgpack.unpack`."""
    return _encoder.encode(value)


def unpack(packed: bytes) -> Unpacked:
    """What a script packed with `cmsgpack.pack`."""
    return msgspec.msgpack.decode(packed)
