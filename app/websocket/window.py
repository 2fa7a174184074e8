"""Credit: how many unfinished messages one client may hold, and which it holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from broker.kernel.ids import LeaseToken, MessageId
from broker.messaging.delivery import Acknowledgement, Lease

DEFAULT_CREDIT: Final = 50
MAX_CREDIT: Final = 1000


@dataclass(kw_only=True)
class _Pushed:
    token: LeaseToken
    ends_at: int
    kept: bool


class Window:
    """The messages that were pushed and not finished, against the client's credit.

    A message leaves the window when it is finished or its lease ends: then it is no longer the
    client's. Times are ms.
    """

    def __init__(self, credit: int = DEFAULT_CREDIT) -> None:
        self.credit = credit
        self._pushed: dict[MessageId, _Pushed] = {}

    def widen(self, more: int) -> None:
        """Let the client hold `more` messages, up to the station's limit."""
        self.credit = min(self.credit + more, MAX_CREDIT)

    def free(self, now_ms: int) -> int:
        """How many messages may be pushed now."""
        if len(self._pushed) >= self.credit:
            self._pushed = {
                message: pushed
                for message, pushed in self._pushed.items()
                if pushed.ends_at > now_ms
            }
        return max(0, self.credit - len(self._pushed))

    def push(self, lease: Lease, *, kept: bool) -> None:
        """The message of this lease goes to the client; `kept`: its lease outlives a drop."""
        self._pushed[lease.message_id] = _Pushed(
            token=lease.token, ends_at=lease.expires_at, kept=kept
        )

    def holds(self, lease: Lease) -> bool:
        """Whether exactly this lease was pushed."""
        pushed = self._pushed.get(lease.message_id)
        return pushed is not None and pushed.token == lease.token

    def extend(self, message: MessageId, token: LeaseToken, ends_at: int) -> None:
        """The lease of a pushed message ends later, or earlier."""
        pushed = self._pushed.get(message)
        if pushed is not None and pushed.token == token:
            pushed.ends_at = ends_at

    def finish(self, message: MessageId, token: LeaseToken | None) -> None:
        """The client is done with a message, or its lease turned out to have ended.

        Without a token, whichever lease it had.
        """
        pushed = self._pushed.get(message)
        if pushed is not None and token in {None, pushed.token}:
            del self._pushed[message]

    def lose(self, message: MessageId) -> None:
        """What was offered to the client is another's, whatever lease it was shown by."""
        self._pushed.pop(message, None)

    def to_give_back(self) -> list[Acknowledgement]:
        """The leases that nobody can resume once the connection is gone."""
        return [
            Acknowledgement(message_id=message, token=pushed.token)
            for message, pushed in self._pushed.items()
            if not pushed.kept
        ]
