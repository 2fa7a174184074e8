"""Keys of who takes part: agents, channels, and what is pushed to whom."""

from __future__ import annotations

from broker.kernel.ids import AgentId, ChannelId, Partition
from broker.storage.keys.names import Names, key


class DirectoryKeys(Names):
    """Lie in the agent's or the channel's partition."""

    def partition_of_channel(self, channel: ChannelId) -> Partition:
        """Where all of a channel lies, its conversation too."""
        return self.partition_for(f"channel:{channel}")

    @key(type="hash", lifetime="until deleted", owner="routing")
    def channel(self, channel: ChannelId) -> str:
        """A channel: owner, private, topic, created_at in ms, version of its membership."""
        return f"{self._of_agent(f'channel:{channel}')}channel:{channel}"

    @key(type="zset", lifetime="until deleted", owner="routing")
    def channel_members(self, channel: ChannelId) -> str:
        """A channel's members by when they had registered in ms, which tells namesakes apart."""
        return f"{self._of_agent(f'channel:{channel}')}channel_members:{channel}"

    @key(type="zset", lifetime="permanent", owner="routing")
    def channels(self, partition: Partition) -> str:
        """Ids of the partition's channels, all at score 0: in the order of their names."""
        return f"{self._tags[partition]}channels"

    @key(type="hash", lifetime="until deleted", owner="directory")
    def agent(self, agent: AgentId) -> str:
        """An agent: profile (JSON), instance, epoch, last_seen, inbox limits."""
        return f"{self._of_agent(agent)}agent:{agent}"

    @key(type="zset", lifetime="permanent", owner="directory")
    def agents(self, partition: Partition) -> str:
        """Ids of the registered agents, all at score 0: in the order of their names."""
        return f"{self._tags[partition]}agents"

    @key(type="zset", lifetime="permanent", owner="directory")
    def heartbeats(self, partition: Partition) -> str:
        """Ids of agents that count as present, by the last sign of life in ms."""
        return f"{self._tags[partition]}heartbeats"

    @key(type="set", lifetime="until they give a sign of life", owner="directory")
    def unseen(self, partition: Partition) -> str:
        """Ids of agents that discovery registered and that have never been there."""
        return f"{self._tags[partition]}unseen"

    @key(type="hash", lifetime="until registered again", owner="directory")
    def departed(self, partition: Partition) -> str:
        """Last epoch of each agent that was deleted, from which its sessions go on counting."""
        return f"{self._tags[partition]}departed"

    @key(type="string", lifetime="permanent", owner="directory")
    def roll_version(self, partition: Partition) -> str:
        """`<changes>@<ms>`: another with each change of what a partition's agents are."""
        return f"{self._tags[partition]}roll_version"

    @key(type="string", lifetime="a day after the last turn", owner="routing")
    def turns(self, targets: str) -> str:
        """How many messages to these targets were handed out in turn (round_robin)."""
        return f"{self._of_agent(targets)}turns:{self._digest(targets)}"

    @key(type="hash", lifetime="until deleted", owner="delivery")
    def webhook(self, agent: AgentId) -> str:
        """An agent's webhook: definition (JSON), secrets, last success and failure, who pushes."""
        return f"{self._of_agent(agent)}webhook:{agent}"

    @key(type="zset", lifetime="permanent", owner="delivery")
    def webhooks(self, partition: Partition) -> str:
        """Agents whose webhook is on, by the moment in ms before which nothing is pushed."""
        return f"{self._tags[partition]}webhooks"

    @key(type="string", lifetime="2.5 s, renewed while it pushes", owner="delivery")
    def pusher(self, agent: AgentId) -> str:
        """The token of who pushes to this agent."""
        return f"{self._of_agent(agent)}pusher:{agent}"

    @key(type="hash", lifetime="until the destination works or is deleted", owner="delivery")
    def breaker(self, transport: str, agent: AgentId) -> str:
        """A destination that fails: failures in a row, and since when in ms it is given up."""
        return f"{self._of_agent(agent)}breaker:{transport}:{agent}"
