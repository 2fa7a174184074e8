"""Keys of the sender's side: messages on their way, and what they belong to."""

from __future__ import annotations

from broker.kernel.ids import AgentId, MessageId, Partition
from broker.storage.keys.names import Names, key


class SendingKeys(Names):
    """Lie in the partition of the sender, of the thread or of the conversation."""

    @key(type="string", lifetime="until retention after the last verdict", owner="messaging")
    def message(self, message: MessageId) -> str:
        """The immutable record of a message, msgpack."""
        return f"{self._of_id(message)}message:{message}"

    @key(type="zset", lifetime="permanent", owner="messaging")
    def ingress(self, partition: Partition) -> str:
        """Accepted messages that stand in no inbox yet, by order (priority, then sequence)."""
        return f"{self._tags[partition]}ingress"

    @key(type="zset", lifetime="permanent", owner="messaging")
    def delayed(self, partition: Partition) -> str:
        """Accepted messages that wait for their delivery time: `<priority>:<id>` by due ms."""
        return f"{self._tags[partition]}delayed"

    @key(type="string", lifetime="permanent", owner="storage")
    def sequence(self, partition: Partition) -> str:
        """Counter behind queue order, lease tokens and ids made inside Redis."""
        return f"{self._tags[partition]}sequence"

    @key(type="zset", lifetime="trimmed as records leave", owner="messaging")
    def history(self, partition: Partition) -> str:
        """Ids of the messages sent from this partition, by acceptance in ms; behind listings."""
        return f"{self._tags[partition]}history"

    @key(type="hash", lifetime="permanent", owner="messaging")
    def sent(self, partition: Partition) -> str:
        """Per named recipient, how many messages of this partition were ever meant for it.

        Less `arrived` of the recipient's side, this is what is on its way: see admission.lua.
        """
        return f"{self._tags[partition]}sent"

    @key(type="hash", lifetime="permanent", owner="messaging")
    def arrived(self, agent: AgentId) -> str:
        """Per sender's partition, how many of its messages reached this inbox."""
        return f"{self._of_agent(agent)}arrived:{agent}"

    @key(type="string", lifetime="WAYSTATION_IDEMPOTENCY_SECONDS", owner="messaging")
    def idempotency(self, sender: AgentId, key: str) -> str:
        """Which message a sender's idempotency key stands for: `<message id> <fingerprint>`."""
        return f"{self._of_agent(sender)}idempotency:{sender}:{self._digest(key)}"

    @key(type="string", lifetime="as long as the record", owner="messaging")
    def verdict(self, message: MessageId) -> str:
        """`<state> <ms>` of a message that was withdrawn before it was routed."""
        return f"{self._of_id(message)}verdict:{message}"

    @key(type="set", lifetime="as long as the record", owner="routing")
    def audience(self, message: MessageId) -> str:
        """Whom a message to several was routed to."""
        return f"{self._of_id(message)}audience:{message}"

    @key(
        type="hash", lifetime="while claimed; once done, longer than the record", owner="messaging"
    )
    def claim(self, message: MessageId) -> str:
        """Who has claimed a claimable message: agent_id, token, until (ms); done once finished."""
        return f"{self._of_id(message)}claim:{message}"

    @key(type="zset", lifetime="until all who wait know that it is over", owner="messaging")
    def claims(self, partition: Partition) -> str:
        """Outbox: `<message id> <agent> <token>` of each claim, by its end in ms."""
        return f"{self._tags[partition]}claims"

    @key(type="set", lifetime="until the last verdict", owner="routing")
    def outstanding(self, message: MessageId) -> str:
        """Recipients of a message to several that have no verdict yet."""
        return f"{self._of_id(message)}outstanding:{message}"

    @key(type="zset", lifetime="as long as its newest message", owner="messaging")
    def thread(self, thread: str) -> str:
        """Ids of a conversation's messages after the first, by acceptance in ms."""
        return f"{self._of_agent(thread)}thread:{thread}"

    @key(type="zset", lifetime="as long as the ticket can last", owner="messaging")
    def replies(self, ticket: MessageId) -> str:
        """`<reply id> <sender>` of what answers a ticket, by acceptance in ms.

        Negative until the reply is known to be stored: see messaging/relations.py.
        """
        return f"{self._of_id(ticket)}replies:{ticket}"

    @key(type="string", lifetime="1 s", owner="storage")
    def bell(self, partition: Partition) -> str:
        """Set while a wake-up for this partition is under way, so that nobody rings twice."""
        return f"{self._tags[partition]}bell"

    @key(type="string", lifetime="3 s, renewed with each batch", owner="routing")
    def drainer(self, partition: Partition) -> str:
        """The token of who routes this partition."""
        return f"{self._tags[partition]}drainer"

    @key(type="string", lifetime="until ingress is empty", owner="routing")
    def taken(self, partition: Partition) -> str:
        """Up to which order messages were taken to be routed; outlives a router that died."""
        return f"{self._tags[partition]}taken"

    @key(type="zset", lifetime="as long as its newest message; newest 20,000", owner="messaging")
    def conversation(self, name: str) -> str:
        """Ids of the messages of `dm:<a>:<b>` or `channel:<id>`, by acceptance in ms."""
        return f"{self._of_agent(name)}conversation:{name}"

    @key(type="zset", lifetime="as long as its newest message; newest 20,000", owner="messaging")
    def counterparts(self, agent: AgentId) -> str:
        """With whom an agent has direct messages, by when the last one was sent in ms."""
        return f"{self._of_agent(agent)}counterparts:{agent}"
