"""What the queue should do, as plain Python: the model that the property tests compare with."""

import dataclasses

from broker.kernel.ids import LeaseToken, MessageId


@dataclasses.dataclass(kw_only=True)
class Copy:
    """What the model knows of a message to its one recipient."""

    id: MessageId
    sender: str
    recipient: str
    priority: int
    max_attempts: int
    number: int
    state: str = "ingress"  # delayed, ingress, taken, queued, leased, waiting, or a final state
    attempts: int = 0
    token: LeaseToken | None = None
    stale_tokens: list[LeaseToken] = dataclasses.field(default_factory=list)
    was_acknowledged: bool = False
    replies: list[MessageId] = dataclasses.field(default_factory=list)

    def lose_token(self) -> None:
        """The lease has ended: from now on its token is stale."""
        if self.token is not None:
            self.stale_tokens.append(self.token)
        self.token = None

    @property
    def is_final(self) -> bool:
        return self.state in {"acknowledged", "replied", "dead", "cancelled", "superseded"}


@dataclasses.dataclass(kw_only=True)
class QueueModel:
    """All copies, and the order in which they came to their inboxes."""

    copies: dict[MessageId, Copy] = dataclasses.field(default_factory=dict)
    number: int = 0
    arrival: int = 0
    arrived: dict[MessageId, int] = dataclasses.field(default_factory=dict)
    keys: dict[tuple[str, str], MessageId] = dataclasses.field(default_factory=dict)

    def next_number(self) -> int:
        """The next place in line for routing."""
        self.number += 1
        return self.number

    def in_state(self, *states: str) -> list[Copy]:
        return [copy for copy in self.copies.values() if copy.state in states]

    def inbox(self, recipient: str) -> list[Copy]:
        """What can be leased, in order: priority, then arrival."""
        queued = [
            c for c in self.copies.values() if (c.recipient, c.state) == (recipient, "queued")
        ]
        return sorted(queued, key=lambda copy: (-copy.priority, self.arrived[copy.id]))

    def arrive(self, copies: list[Copy]) -> None:
        """Routing puts these into their inboxes, the most urgent first."""
        for copy in sorted(copies, key=lambda one: (-one.priority, one.number)):
            copy.state = "queued"
            self.line_up(copy)

    def line_up(self, copy: Copy) -> None:
        """It takes the last place of its priority."""
        self.arrival += 1
        self.arrived[copy.id] = self.arrival

    def lease(self, copy: Copy, token: LeaseToken) -> None:
        copy.state = "leased"
        copy.attempts += 1
        copy.token = token

    def end_lease(self, copy: Copy) -> None:
        """Nobody finished it in time."""
        copy.lose_token()
        copy.state = "dead" if copy.attempts >= copy.max_attempts else "queued"

    def retry(self, copy: Copy) -> None:
        """A dead letter starts anew, at the end of the line."""
        copy.state = "queued"
        copy.attempts = 0
        self.line_up(copy)
