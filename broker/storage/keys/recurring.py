"""Keys of recurring messages."""

from __future__ import annotations

from broker.kernel.ids import AgentId, Partition, RecurringId
from broker.storage.keys.names import Names, key


class RecurringKeys(Names):
    """Lie in the sender's partition."""

    @key(
        type="hash", lifetime="until it ends, then WAYSTATION_RETENTION_SECONDS", owner="messaging"
    )
    def recurring(self, recurring: RecurringId) -> str:
        """A recurring message: definition (msgpack), state, next and last slot in ms, counts."""
        return f"{self._of_id(recurring)}recurring:{recurring}"

    @key(type="zset", lifetime="permanent", owner="messaging")
    def recurring_index(self, partition: Partition) -> str:
        """Ids of the recurring messages by when they leave in ms; those that go on by +inf."""
        return f"{self._tags[partition]}recurring_index"

    @key(type="zset", lifetime="permanent", owner="messaging")
    def recurring_due(self, partition: Partition) -> str:
        """Ids of active recurring messages by their next slot in ms."""
        return f"{self._tags[partition]}recurring_due"

    @key(type="list", lifetime="as long as its recurring message; newest 1,000", owner="messaging")
    def recurring_history(self, recurring: RecurringId) -> str:
        """What became of a recurring message's slots: newest first, msgpack."""
        return f"{self._of_id(recurring)}recurring_history:{recurring}"

    @key(type="string", lifetime="WAYSTATION_IDEMPOTENCY_SECONDS", owner="messaging")
    def recurring_idempotency(self, sender: AgentId, key: str) -> str:
        """Which recurring message a sender's idempotency key stands for: `<id> <fingerprint>`."""
        return f"{self._of_agent(sender)}recurring_idempotency:{sender}:{self._digest(key)}"
