"""Following a message until its last verdict."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from waystation.answers import Receipt, StoredMessage
from waystation.cli.exit_codes import ExitCode
from waystation.cli.failures import Failure
from waystation.resources.messages import BlockingMessages

COLUMNS: Final = ("RECIPIENT", "STATUS", "ATTEMPTS", "DELIVERED", "READ", "FINISHED")

_OPEN: Final = frozenset({"accepted", "delayed", "queued", "leased", "waiting"})
_WELL: Final = frozenset({"acknowledged", "replied", "taken", "declined", "resolved"})
"""`taken`: another of those to whom it was offered has done it."""
_PAUSES: Final = (0.05, 0.1, 0.2, 0.5, 1.0)


class Verdict(Struct, frozen=True):
    """A message, and what has become of it for each recipient."""

    message: StoredMessage
    receipts: Sequence[Receipt]

    @property
    def is_final(self) -> bool:
        """Whether nothing will change any more."""
        return self.message.status not in _OPEN and not any(
            one.status in _OPEN for one in self.receipts
        )

    @property
    def is_well(self) -> bool:
        """Whether all recipients have finished it."""
        states = [one.status for one in self.receipts] or [self.message.status]
        return all(state in _WELL for state in states)

    @property
    def summary(self) -> str:
        """How many recipients stand where."""
        states = Counter(one.status for one in self.receipts) or {self.message.status: 1}
        return ", ".join(f"{count} {state}" for state, count in sorted(states.items()))


def rows(receipts: Sequence[Receipt]) -> list[tuple[object, ...]]:
    """Receipts under `COLUMNS`."""
    return [
        (one.agent_id, one.status, one.attempts, one.delivered_at, one.read_at, one.finished_at)
        for one in receipts
    ]


def verdict_of(messages: BlockingMessages, message_id: str) -> Verdict:
    """Where a message stands now."""
    return Verdict(messages.get(message_id), messages.receipts(message_id))


def wait_for_verdict(
    messages: BlockingMessages,
    message_id: str,
    *,
    patience_seconds: float | None,
    seen: Callable[[Verdict], None],
) -> Verdict:
    """Look until nothing changes any more; for ever without patience: every message expires.

    Raises:
        Failure: the patience is over.
    """
    started = time.monotonic()
    for look in range(2**31):
        verdict = verdict_of(messages, message_id)
        seen(verdict)
        if verdict.is_final:
            break
        pause = _PAUSES[min(look, len(_PAUSES) - 1)]
        if patience_seconds is not None and time.monotonic() + pause > started + patience_seconds:
            raise Failure(
                f"No verdict within {patience_seconds:g} seconds: {verdict.summary}.",
                exit_code=ExitCode.TIMEOUT,
                code="timeout",
                next_step=f"`waystation show {message_id}` looks again.",
            )
        time.sleep(pause)
    return verdict
