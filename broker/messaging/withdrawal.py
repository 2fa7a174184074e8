"""Taking a message back while it waits (SPEC M13)."""

from __future__ import annotations

import time
from typing import Final

from broker.kernel.clock import Clock
from broker.kernel.errors import MessageNotFoundError, NotWaitingError, StorageUnavailableError
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.store import MessageStore

# A routing worker holds a message for some ms; a dead one's hold ends after three seconds.
_PATIENCE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.05


class Withdrawals:
    """Cancels messages that no recipient holds yet."""

    def __init__(self, store: MessageStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def cancel(self, identifier: MessageId) -> None:
        """Withdraw a message from all its recipients, or from none of them that hold it.

        Raises `MessageNotFoundError`; `NotWaitingError` when every copy is leased or finished.
        """
        message = self._store.records([identifier])[0]
        if message is None:
            raise MessageNotFoundError(f"No message {identifier} is stored.")
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            where = self._store.withdraw_unrouted(message, "cancelled", self._clock())
            if where != "in_flight":
                break
            if time.monotonic() > deadline:
                raise StorageUnavailableError(
                    "The message is being routed. Cancel again in a moment.",
                    retry_after_seconds=1,
                )
            time.sleep(_PAUSE_SECONDS)
        # A router that died half-way may have left it in ingress and in inboxes: look there too.
        names = self._store.redis.command("SMEMBERS", self._store.keys.audience(identifier))
        recipients = sorted(AgentId(name.decode()) for name in names) or message.to
        outcomes = [
            self._store.inbox_move(
                "withdraw", AgentId(agent), {"id": identifier, "verdict": "cancelled"}
            ).name
            for agent in recipients
        ]
        reached = [outcome for outcome in outcomes if outcome != "absent"]
        if "withdrawn" not in outcomes and (reached or where == "absent"):
            held = "a recipient holds it" if "leased" in outcomes else "it has its verdict"
            raise NotWaitingError(f"Message {identifier} cannot be cancelled any more: {held}.")
