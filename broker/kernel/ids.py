"""Identifiers: `<prefix>_<ULID>`, whose last two characters carry the Redis partition.

A ULID (https://github.com/ulid/spec) is 48 bits of milliseconds and 80 bits of entropy in
Crockford's base 32. The partition takes the last ten bits of the entropy, so that any process
finds a record from its id alone.
"""

from __future__ import annotations

import re
import secrets
import threading
import zlib
from typing import Final, NewType

AgentId = NewType("AgentId", str)
MessageId = NewType("MessageId", str)
DeadLetterId = NewType("DeadLetterId", str)
RecurringId = NewType("RecurringId", str)
KeyId = NewType("KeyId", str)
InvitationId = NewType("InvitationId", str)
ChannelId = NewType("ChannelId", str)
ThreadId = NewType("ThreadId", str)
LeaseToken = NewType("LeaseToken", str)
Partition = NewType("Partition", int)

MAX_PARTITIONS: Final = 1024

# An agent's id stands in URLs, Redis keys, headers and terminals, so it stays plain; ":" is left
# out because it marks the other forms of target (`tag:x`).
AGENT_ID_PATTERN: Final = r"^[A-Za-z0-9_][A-Za-z0-9_.@~-]{0,127}$"

CHANNEL_ID_PATTERN: Final = AGENT_ID_PATTERN
"""A channel's id stands where an agent's does: behind the prefix of a target, and in URLs."""

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
_PAIRS: Final = [high + low for high in _ALPHABET for low in _ALPHABET]
_ENTROPY_CHARACTERS: Final = 14
_ENTROPY_BITS: Final = 5 * _ENTROPY_CHARACTERS
_ULID_PATTERN: Final = "[0-7][0-9A-HJKMNP-TV-Z]{25}"
MESSAGE_ID_PATTERN: Final = f"^msg_{_ULID_PATTERN}$"
DEAD_LETTER_ID_PATTERN: Final = f"^dlq_{_ULID_PATTERN}$"
RECURRING_ID_PATTERN: Final = f"^rec_{_ULID_PATTERN}$"
KEY_ID_PATTERN: Final = f"^key_{_ULID_PATTERN}$"
INVITATION_ID_PATTERN: Final = f"^inv_{_ULID_PATTERN}$"

_IDENTIFIER: Final = re.compile(f"^[a-z]+_{_ULID_PATTERN}$")


def _encode(number: int, length: int) -> str:
    """`number` in an even `length` of characters, two at a time: every message needs an id."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(5 * length - 10, -1, -10)])


class _Entropy:
    """Draws entropy that rises within a millisecond, so that a process's ids sort as made."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at_ms = self._last = 0

    def draw(self, at_ms: int) -> int:
        with self._lock:
            if at_ms == self._at_ms:
                self._last += 1
            else:
                # The highest bit stays free for counting up.
                self._at_ms, self._last = at_ms, secrets.randbits(_ENTROPY_BITS - 1)
            return self._last


_entropy = _Entropy()


def new_id(prefix: str, *, at_ms: int, partition: Partition, entropy: int | None = None) -> str:
    """A fresh id that carries `partition`; `entropy` (70 bits) is drawn where it is not given."""
    drawn = _entropy.draw(at_ms) if entropy is None else entropy
    return f"{prefix}_{_encode(at_ms, 10)}{_encode(drawn, _ENTROPY_CHARACTERS)}{_PAIRS[partition]}"


def is_id(text: str) -> bool:
    """Whether `text` has the form of one of our ids."""
    return _IDENTIFIER.fullmatch(text) is not None


def partition_of(identifier: str, partitions: int) -> Partition:
    """The partition that an id carries; ids that carry none fall anywhere, deterministically."""
    if is_id(identifier):
        carried = _VALUES[identifier[-2]] * 32 + _VALUES[identifier[-1]]
        return Partition(carried % partitions)
    return partition_for(identifier, partitions)


def partition_for(name: str, partitions: int) -> Partition:
    """The partition in which everything of the agent or thread called `name` lives."""
    return Partition(zlib.crc32(name.encode()) % partitions)


def created_ms(identifier: str) -> int:
    """The milliseconds since the epoch at which an id was made."""
    milliseconds = 0
    for character in identifier[-26:-16]:
        milliseconds = milliseconds * 32 + _VALUES[character]
    return milliseconds
