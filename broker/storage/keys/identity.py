"""Keys of API keys and invitations."""

from __future__ import annotations

from broker.kernel.ids import AgentId, InvitationId, KeyId, Partition
from broker.storage.keys.names import Names, key


class IdentityKeys(Names):
    """Lie in the partition that the id of each carries."""

    @key(type="hash", lifetime="30 days beyond its end", owner="security")
    def api_key(self, key: KeyId) -> str:
        """A key: name, scopes, expiry, digest of its secret (SHA-256), of the one before it."""
        return f"{self._of_id(key)}api_key:{key}"

    @key(type="zset", lifetime="permanent", owner="security")
    def api_keys(self, partition: Partition) -> str:
        """Ids of the keys by when their record leaves in ms; those that go on by +inf."""
        return f"{self._tags[partition]}api_keys"

    @key(type="zset", lifetime="until its last key ends", owner="security")
    def agent_keys(self, agent: AgentId) -> str:
        """Ids of the keys that speak for an agent, by their end in ms: its id is not free."""
        return f"{self._of_agent(agent)}agent_keys:{agent}"

    @key(type="string", lifetime="permanent", owner="security")
    def first_admin_key(self) -> str:
        """The id of the first admin key that there ever was: a start prints no second one."""
        return f"{self._tags[0]}first_admin_key"

    @key(type="hash", lifetime="30 days beyond its end", owner="security")
    def invitation(self, invitation: InvitationId) -> str:
        """An invitation: whom it lets register, how often, until when, digest of its secret."""
        return f"{self._of_id(invitation)}invitation:{invitation}"

    @key(type="set", lifetime="as long as its invitation", owner="security")
    def invited(self, invitation: InvitationId) -> str:
        """The agents that an invitation was used for; one counts once."""
        return f"{self._of_id(invitation)}invited:{invitation}"

    @key(type="zset", lifetime="permanent", owner="security")
    def invitations(self, partition: Partition) -> str:
        """Ids of the invitations by when their record leaves in ms."""
        return f"{self._tags[partition]}invitations"
