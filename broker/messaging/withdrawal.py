"""Taking a message back while it waits (SPEC M13)."""

from __future__ import annotations

import time
from typing import Final

from broker.kernel.clock import Clock
from broker.kernel.errors import (
    ForbiddenError,
    MessageNotFoundError,
    NotWaitingError,
    StorageUnavailableError,
)
from broker.kernel.ids import AgentId, MessageId
from broker.kernel.viewer import EVERYONE, Viewer, includes
from broker.messaging.inbox_store import InboxStore
from broker.messaging.message import Message
from broker.messaging.outgoing_store import OutgoingStore
from broker.messaging.record_store import RecordStore
from broker.messaging.visibility import Visibility

# A routing worker holds a message for some ms. What a dead one held may stand in inboxes already:
# it must be routed anew first, within five seconds if the station is well.
_PATIENCE_SECONDS: Final = 5.0
_PAUSE_SECONDS: Final = 0.05


class Withdrawals:
    """Cancels messages that no recipient holds yet."""

    def __init__(
        self,
        records: RecordStore,
        outgoing: OutgoingStore,
        inboxes: InboxStore,
        visibility: Visibility,
        clock: Clock,
    ) -> None:
        self._records = records
        self._outgoing = outgoing
        self._inboxes = inboxes
        self._visibility = visibility
        self._clock = clock

    def cancel(self, identifier: MessageId, viewer: Viewer = EVERYONE) -> None:
        """Withdraw a message from all its recipients, or from none of them that hold it.

        Raises `MessageNotFoundError`, also where the viewer may not see it; `ForbiddenError` where
        it is not the sender; `NotWaitingError` when every copy is leased or finished.
        """
        message = self._records.read([identifier])[0]
        if message is None or not self._visibility.sees(viewer, message):
            raise MessageNotFoundError(f"No message {identifier} is stored.")
        if not includes(viewer, message.sender):
            raise ForbiddenError("Only its sender and operators may cancel a message.")
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            where = self._outgoing.withdraw_unrouted(message, "cancelled", self._clock())
            if where == "withdrawn":
                return
            if where == "absent":
                break
            if time.monotonic() > deadline:
                raise StorageUnavailableError(
                    "The message is being routed. Cancel again in a moment.",
                    retry_after_seconds=1,
                )
            time.sleep(_PAUSE_SECONDS)
        outcomes = self._from_inboxes(message, "cancelled")
        if "withdrawn" not in outcomes:
            held = "a recipient holds it" if "leased" in outcomes else "it has its verdict"
            raise NotWaitingError(f"Message {identifier} cannot be cancelled any more: {held}.")

    def supersede(self, identifier: MessageId) -> None:
        """Withdraw a routed message from all who do not hold it, for the one that replaces it.

        Safe to repeat; nothing happens where it is no longer stored.
        """
        message = self._records.read([identifier])[0]
        if message is not None:
            self._from_inboxes(message, "superseded")

    def _from_inboxes(self, message: Message, verdict: str) -> list[str]:
        names = self._records.redis.command("SMEMBERS", self._records.keys.audience(message.id))
        recipients = sorted(AgentId(name.decode()) for name in names) or message.to
        return [
            self._inboxes.move(
                "withdraw", AgentId(agent), {"id": message.id, "verdict": verdict}
            ).name
            for agent in recipients
        ]
