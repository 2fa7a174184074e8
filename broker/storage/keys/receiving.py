"""Keys of the recipient's side: inboxes and dead letters."""

from __future__ import annotations

from broker.kernel.ids import AgentId, Partition
from broker.storage.keys.names import Names, key


class ReceivingKeys(Names):
    """Lie in the recipient's partition."""

    @key(type="zset", lifetime="permanent", owner="messaging")
    def inbox(self, agent: AgentId) -> str:
        """Message ids ready to be leased, by order (priority, then sequence)."""
        return f"{self._of_agent(agent)}inbox:{agent}"

    @key(type="zset", lifetime="permanent", owner="messaging")
    def leased(self, agent: AgentId) -> str:
        """Message ids handed out, by the end of their lease in ms."""
        return f"{self._of_agent(agent)}leased:{agent}"

    @key(type="zset", lifetime="permanent", owner="messaging")
    def waiting(self, agent: AgentId) -> str:
        """Message ids between two attempts, by the time of the next in ms."""
        return f"{self._of_agent(agent)}waiting:{agent}"

    @key(type="zset", lifetime="permanent", owner="messaging")
    def expiring(self, agent: AgentId) -> str:
        """Ids of all unfinished deliveries, by the end of the message's life in ms."""
        return f"{self._of_agent(agent)}expiring:{agent}"

    @key(type="hash", lifetime="permanent", owner="messaging")
    def deliveries(self, agent: AgentId) -> str:
        """Message id to its unfinished delivery (delivery.lua); its length is the depth."""
        return f"{self._of_agent(agent)}deliveries:{agent}"

    @key(type="hash", lifetime="retention after the verdict", owner="messaging")
    def receipts(self, agent: AgentId) -> str:
        """Message id to its finished delivery; keeps a late routing from bringing it back."""
        return f"{self._of_agent(agent)}receipts:{agent}"

    @key(type="zset", lifetime="retention after the verdict", owner="messaging")
    def leaving(self, agent: AgentId) -> str:
        """Message ids of finished deliveries, by when their receipt leaves, in ms."""
        return f"{self._of_agent(agent)}leaving:{agent}"

    @key(type="zset", lifetime="permanent", owner="messaging")
    def alarms(self, partition: Partition) -> str:
        """Agents by the earliest moment in ms at which something of their inbox falls due."""
        return f"{self._tags[partition]}alarms"

    @key(type="string", lifetime="permanent", owner="messaging")
    def swept_at(self, partition: Partition) -> str:
        """The server's time in ms at one of the last sweeps: tells when the clock is set back."""
        return f"{self._tags[partition]}swept_at"

    @key(type="zset", lifetime="until the next sweep", owner="messaging")
    def set_back(self, partition: Partition) -> str:
        """Agents whose leases and waits must follow a clock that was set back, by how many ms."""
        return f"{self._tags[partition]}set_back"

    @key(type="zset", lifetime="until concluded", owner="messaging")
    def concluded(self, partition: Partition) -> str:
        """Outbox: `<verdict> <message id> <agent>` whose sender's side has yet to be told.

        Where a reply is still awaited, `<verdict>:<until when in ms>`; of a claim that has ended,
        `claim_won:<token>` or `claim_lost:<token>`.
        """
        return f"{self._tags[partition]}concluded"

    def arrivals(self, partition: Partition) -> str:
        """The pub/sub channel that names agents of this partition to whom something came."""
        return f"{self._tags[partition]}arrivals"

    @key(type="zset", lifetime="until the last of them has timed out", owner="messaging")
    def owed(self, agent: AgentId) -> str:
        """Ids of the tickets that reached an agent and await its reply, by their timeout in ms."""
        return f"{self._of_agent(agent)}owed:{agent}"

    @key(type="hash", lifetime="WAYSTATION_DEAD_LETTER_RETENTION_SECONDS", owner="messaging")
    def dead_letters(self, partition: Partition) -> str:
        """Dead letter id to its entry (includes/dead_letter.lua), of this partition's agents."""
        return f"{self._tags[partition]}dead_letters"

    @key(type="zset", lifetime="WAYSTATION_DEAD_LETTER_RETENTION_SECONDS", owner="messaging")
    def dead_index(self, partition: Partition) -> str:
        """Dead letter ids by the time of death in ms."""
        return f"{self._tags[partition]}dead_index"

    @key(type="zset", lifetime="permanent", owner="messaging")
    def dead_due(self, partition: Partition) -> str:
        """Dead letter ids by the time of their automatic retry in ms."""
        return f"{self._tags[partition]}dead_due"
