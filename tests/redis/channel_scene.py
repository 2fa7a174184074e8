"""A channel and who is in it, for tests that look at it from several sides."""

from broker.kernel.ids import AgentId, ChannelId
from broker.routing.audience import Groups
from broker.routing.channel_members import ChannelMembers
from broker.routing.channel_store import Channel, ChannelStore
from broker.routing.channels import Definition
from broker.routing.targets import Group, GroupKind
from tests.redis.stage import Stage

ALICE, BOB, CAROL = AgentId("alice"), AgentId("bob"), AgentId("carol")
X = ChannelId("x")
EVERYBODY = None


def make(stage: Stage, *, private: bool = False, owner: AgentId = ALICE) -> Channel:
    return stage.broker.channels.create(Definition(id=X, owner=owner, is_private=private))[0]


def members(stage: Stage, channel: ChannelId = X) -> set[AgentId]:
    found, _ = stage.broker.channels.members(channel, EVERYBODY, limit=1000)
    return {one.agent for one in found}


def members_of(stage: Stage) -> ChannelMembers:
    return stage.broker.channels._members


def audience(stage: Stage) -> set[AgentId] | None:
    """Whom a post reaches, as routing finds it; None if there is no such channel."""
    sources = stage.broker.router._sources
    groups = Groups(sources.rolls.current(), sources.memberships)
    reached = groups.members(Group(kind=GroupKind.CHANNEL, name=X))
    return None if members_of(stage).audience(X) is None else set(reached)


def store_of(stage: Stage) -> ChannelStore:
    return stage.broker.channels._store


def as_(*agents: AgentId) -> frozenset[AgentId]:
    return frozenset(agents)


def register_anew(stage: Stage, agent: AgentId) -> None:
    """Delete an agent, and register another of the same id."""
    before = stage.broker.agents.get(agent).registered_at
    stage.broker.agents.delete(agent)
    stage.register(agent)
    while stage.broker.agents.get(agent).registered_at == before:  # within the same ms
        stage.broker.agents.delete(agent)
        stage.register(agent)
