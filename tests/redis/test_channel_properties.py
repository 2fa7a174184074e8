"""Whatever agents and owners do: the members of a channel are those of a plain set."""

import contextlib
import secrets
from collections.abc import Iterator
from typing import ClassVar

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as profile_of
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from broker.kernel.errors import BrokerError
from broker.kernel.ids import AgentId, ChannelId
from broker.routing.audience import Groups
from broker.routing.channels import Changes, Definition
from broker.routing.targets import Group, GroupKind
from broker.wiring import Broker, build_broker
from tests.conftest import MakeSettings
from tests.waiting import until

NAMES = [AgentId(name) for name in ("alice", "bob", "carol", "dave")]
CHANNELS = [ChannelId(name) for name in ("x", "y")]
agents, channels = st.sampled_from(NAMES), st.sampled_from(CHANNELS)


class Modelled:
    """A channel as a plain set has it."""

    def __init__(self, owner: AgentId, *, private: bool) -> None:
        self.owner: AgentId | None = owner
        self.private = private
        self.members = {owner}


class ChannelMachine(RuleBasedStateMachine):
    """Does to the broker and to plain sets the same, as every principal that there is."""

    make_settings: ClassVar[MakeSettings]

    def __init__(self) -> None:
        super().__init__()
        namespace = f"test-{secrets.token_hex(6)}"
        self.broker: Broker = build_broker(self.make_settings(namespace=namespace))
        self.broker.prepare()
        self.registered: set[AgentId] = set()
        self.model: dict[ChannelId, Modelled] = {}

    @contextlib.contextmanager
    def refused_unless(self, allowed: bool) -> Iterator[None]:  # noqa: FBT001 - the model's verdict
        refusal: BrokerError | None = None
        try:
            yield
        except BrokerError as error:
            refusal = error
        assert (refusal is None) == allowed, refusal

    def is_seen(self, name: ChannelId, by: AgentId) -> bool:
        channel = self.model.get(name)
        return channel is not None and (not channel.private or by in channel.members)

    @rule(agent=agents)
    def register(self, agent: AgentId) -> None:
        self.broker.agents.register(agent, {})
        self.registered.add(agent)

    @rule(agent=agents)
    def delete_agent(self, agent: AgentId) -> None:
        with self.refused_unless(agent in self.registered):
            before = self.broker.agents.get(agent).registered_at
            # The next of this name registers in another ms.
            until(
                lambda: self.broker.agents._clock() > before + 1,
                within=10,
                what="another millisecond",
            )
            self.broker.agents.delete(agent)
            self.registered.discard(agent)
            for channel in self.model.values():
                channel.members.discard(agent)
                if channel.owner == agent:
                    channel.owner = None

    @rule(name=channels, owner=agents, private=st.booleans())
    def create(self, name: ChannelId, owner: AgentId, private: bool) -> None:  # noqa: FBT001
        there = self.model.get(name)
        same = there is not None and there.owner == owner and there.private == private
        with self.refused_unless(owner in self.registered and (there is None or same)):
            self.broker.channels.create(Definition(id=name, owner=owner, is_private=private))
            if there is None:
                self.model[name] = Modelled(owner, private=private)

    @rule(name=channels, agent=agents)
    def join(self, name: ChannelId, agent: AgentId) -> None:
        with self.refused_unless(self.is_seen(name, agent) and agent in self.registered):
            self.broker.channels.join(name, agent, frozenset((agent,)))
            self.model[name].members.add(agent)

    @rule(name=channels, agent=agents, by=agents)
    def invite(self, name: ChannelId, agent: AgentId, by: AgentId) -> None:
        channel = self.model.get(name)
        allowed = channel is not None and by in channel.members and agent in self.registered
        with self.refused_unless(allowed):
            self.broker.channels.invite(name, agent, frozenset((by,)))
            self.model[name].members.add(agent)

    @rule(name=channels, agent=agents)
    def leave(self, name: ChannelId, agent: AgentId) -> None:
        allowed = self.is_seen(name, agent) and self.model[name].owner != agent
        with self.refused_unless(allowed):
            self.broker.channels.leave(name, agent, frozenset((agent,)))
            self.model[name].members.discard(agent)

    @rule(name=channels, agent=agents, by=agents)
    def remove(self, name: ChannelId, agent: AgentId, by: AgentId) -> None:
        channel = self.model.get(name)
        allowed = (
            channel is not None
            and self.is_seen(name, by)
            and by in {agent, channel.owner}
            and channel.owner != agent
        )
        with self.refused_unless(allowed):
            self.broker.channels.remove(name, agent, frozenset((by,)))
            self.model[name].members.discard(agent)

    @rule(name=channels, owner=agents, by=agents)
    def hand_over(self, name: ChannelId, owner: AgentId, by: AgentId) -> None:
        channel = self.model.get(name)
        allowed = channel is not None and channel.owner == by and owner in channel.members
        with self.refused_unless(allowed):
            self.broker.channels.change(name, Changes(owner=owner), frozenset((by,)))
            self.model[name].owner = owner

    @rule(name=channels, private=st.booleans(), by=agents)
    def hide_or_show(self, name: ChannelId, private: bool, by: AgentId) -> None:  # noqa: FBT001
        channel = self.model.get(name)
        with self.refused_unless(channel is not None and channel.owner == by):
            self.broker.channels.change(name, Changes(is_private=private), frozenset((by,)))
            self.model[name].private = private

    @rule(name=channels, by=agents)
    def delete_channel(self, name: ChannelId, by: AgentId) -> None:
        channel = self.model.get(name)
        with self.refused_unless(channel is not None and channel.owner == by):
            self.broker.channels.delete(name, frozenset((by,)))
            del self.model[name]

    @rule(name=channels)
    def list_members(self, name: ChannelId) -> None:
        """Sweeps out who is gone, which must change nothing that can be seen."""
        if name in self.model:
            found, _ = self.broker.channels.members(name, None, limit=10)
            assert {one.agent for one in found} == self.model[name].members

    @invariant()
    def what_is_posted_reaches_the_members(self) -> None:
        members, sources = self.broker.channels._members, self.broker.router._sources
        groups = Groups(sources.rolls.current(), sources.memberships)
        for name in CHANNELS:
            audience = groups.members(Group(kind=GroupKind.CHANNEL, name=name))
            channel = self.model.get(name)
            assert (members.audience(name) is None) == (channel is None)
            assert audience == (channel.members if channel else set())
            for agent in NAMES:
                may_post = channel is None or not channel.private or agent in channel.members
                assert (members.refusal(agent, name) is None) == may_post

    @invariant()
    def everybody_finds_what_is_there_for_it(self) -> None:
        for agent in NAMES:
            found, _ = self.broker.channels.find(frozenset((agent,)), limit=10)
            assert [one.id for one in found] == [n for n in CHANNELS if self.is_seen(n, agent)]
            for one in found:
                channel = self.model[one.id]
                # Of one who was deleted the name may stand there yet, but belongs to no member.
                assert one.owner == channel.owner or one.owner not in channel.members

    def teardown(self) -> None:
        self.broker.redis.client.close()
        self.broker.jobs.client.close()


@pytest.mark.timeout(120)
def test_members_are_those_of_a_plain_set(settings: MakeSettings) -> None:
    machine = type("Machine", (ChannelMachine,), {"make_settings": staticmethod(settings)})
    run_state_machine_as_test(machine, settings=profile)


profile = profile_of(
    max_examples=30,
    database=None,
    # Shrinking would take minutes of Redis; a failure prints its steps, and its seed repeats it.
    phases=(Phase.explicit, Phase.generate),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
