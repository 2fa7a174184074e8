"""Who takes part: register.lua, heartbeat.lua, retire.lua, unregister.lua."""

import pytest

from broker.directory.agents import AgentKind, InboxLimits, OnFull, Presence
from broker.kernel.errors import (
    ConflictError,
    InvalidFieldsError,
    StaleEpochError,
    UnknownAgentError,
)
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId
from broker.messaging.delivery import Delivered
from tests.redis.stage import HOUR_MS, Stage

BOB, USER = AgentId("bob"), AgentId("user")


def silence(stage: Stage, agent: AgentId, ms: int = HOUR_MS) -> None:
    """As if an agent had given no sign of life for so long."""
    keys, redis = stage.broker.keys, stage.broker.redis
    redis.command("HINCRBY", keys.agent(agent), "last_seen", -ms)
    stage.shift(keys.heartbeats(keys.partition_for(agent)), -ms)


def test_a_registration_is_created_once_and_then_renewed(stage: Stage) -> None:
    first = stage.broker.agents.register(AgentId("dave"), {"tags": ("a",), "label": "x"})
    second = stage.broker.agents.register(AgentId("dave"), {"tags": ("b",)})

    assert (first.created, second.created) == (True, False)
    assert second.agent.profile.tags == ("b",)
    assert second.agent.profile.label == "x"
    assert second.agent.registered_at == first.agent.registered_at
    assert second.agent.epoch == first.agent.epoch == 1


def test_a_new_instance_opens_a_new_session_and_gets_back_what_the_old_one_held(
    stage: Stage,
) -> None:
    stage.register("bob", instance_id="one")
    identifier = stage.deliver()
    stage.lease_one()

    renewed = stage.broker.agents.register(BOB, {}, instance_id="one").agent
    assert stage.state(identifier) is DeliveryState.LEASED
    opened = stage.broker.agents.register(BOB, {}, instance_id="two").agent

    assert opened.epoch == renewed.epoch + 1
    assert stage.inbox() == [identifier]


def test_a_superseded_session_cannot_say_that_it_lives(stage: Stage) -> None:
    stage.register("bob", instance_id="one")
    old = stage.broker.agents.get(BOB).epoch
    stage.register("bob", instance_id="two")

    with pytest.raises(StaleEpochError):
        stage.broker.agents.heartbeat(BOB, epoch=old)
    with pytest.raises(StaleEpochError):
        stage.broker.agents.heartbeat(BOB, instance_id="one")
    stage.broker.agents.heartbeat(BOB, instance_id="two", epoch=old + 1)


def test_a_zombie_stays_one_when_its_agent_was_deleted_and_registered_again(stage: Stage) -> None:
    stage.register("bob", instance_id="one")
    zombie = stage.broker.agents.get(BOB).epoch
    stage.broker.agents.delete(BOB)
    stage.register("bob", instance_id="two")

    with pytest.raises(StaleEpochError):
        stage.lease(epoch=zombie)
    with pytest.raises(StaleEpochError):
        stage.broker.agents.heartbeat(BOB, epoch=zombie)


def test_a_silent_agent_is_stale_then_offline_and_a_sign_of_life_brings_it_back(
    stage: Stage,
) -> None:
    silence(stage, BOB, 100_000)
    assert stage.broker.agents.get(BOB).presence is Presence.STALE
    silence(stage, BOB)
    assert stage.broker.agents.get(BOB).presence is Presence.OFFLINE

    agent = stage.broker.agents.heartbeat(BOB, status="busy")

    assert agent.presence is Presence.ONLINE
    assert agent.reported_status == "busy"


def test_an_agent_that_falls_silent_loses_its_leases_but_not_its_messages(stage: Stage) -> None:
    identifier = stage.deliver()
    stage.lease_one(lease_ms=12 * HOUR_MS)
    silence(stage, BOB)

    assert stage.broker.agents.reap() == [BOB]

    assert stage.inbox() == [identifier]
    assert stage.broker.agents.reap() == []
    assert stage.broker.agents.get(BOB).id == BOB


def test_an_agent_that_comes_back_in_the_last_moment_keeps_its_leases(stage: Stage) -> None:
    stage.deliver()
    silence(stage, BOB)
    store = stage.broker.agents._store
    silent_since = store.silent_since

    def come_back(moment_ms: int) -> list[AgentId]:
        silent = silent_since(moment_ms)
        held.append(stage.lease_one())
        return silent

    held: list[Delivered] = []
    store.silent_since = come_back  # type: ignore[method-assign]

    assert stage.broker.agents.reap() == []

    stage.ack(held[0])


def test_a_reader_counts_as_alive(stage: Stage) -> None:
    silence(stage, BOB)
    stage.lease()

    assert BOB not in stage.broker.agents.reap()


def test_the_built_in_agents_are_never_reaped(stage: Stage) -> None:
    stage.deliver("user")
    stage.lease_one("user", lease_ms=12 * HOUR_MS)
    stage.broker.agents.heartbeat(USER)
    silence(stage, USER)

    assert USER not in stage.broker.agents.reap()

    assert stage.broker.agents.get(USER).presence is Presence.ONLINE
    assert stage.inbox("user") == []


def test_the_built_in_agents_always_exist(stage: Stage) -> None:
    with pytest.raises(ConflictError):
        stage.broker.agents.delete(USER)

    kept = stage.broker.agents.register(USER, {"kind": AgentKind.PROVIDER}).agent
    assert kept.profile.kind is AgentKind.USER


def test_an_unknown_agent_is_refused_with_near_names(stage: Stage) -> None:
    agents = stage.broker.agents
    unknown = AgentId("bobby")
    with pytest.raises(UnknownAgentError, match="Did you mean bob"):
        agents.get(unknown)
    with pytest.raises(UnknownAgentError):
        agents.heartbeat(unknown)
    with pytest.raises(UnknownAgentError):
        agents.patch(unknown, {})
    with pytest.raises(UnknownAgentError):
        agents.delete(unknown)


def test_reserved_names_cannot_be_registered(stage: Stage) -> None:
    for name in ("broadcast", "auto"):
        with pytest.raises(InvalidFieldsError):
            stage.broker.agents.register(AgentId(name), {})


def test_a_deleted_agent_is_gone_from_every_list(stage: Stage) -> None:
    stage.broker.agents.delete(BOB)

    found, _ = stage.broker.agents.find(limit=100)
    assert BOB not in [agent.id for agent in found]
    assert stage.broker.agents.reap() == []


def test_agents_are_listed_page_by_page_in_the_order_of_their_names(stage: Stage) -> None:
    stage.register("carol", "dave", "erin")

    seen: list[AgentId] = []
    after = None
    while True:
        page, after = stage.broker.agents.find(limit=2, after=after)
        seen += [agent.id for agent in page]
        if after is None:
            break

    assert seen == ["alice", "bob", "carol", "dave", "erin", "system", "user"]


def test_an_agents_own_limits_stay_until_they_are_changed(stage: Stage) -> None:
    limits = InboxLimits(max_depth=5, on_full=OnFull.DROP_OLDEST)
    stage.broker.agents.register(BOB, {}, limits=limits)

    agent = stage.broker.agents.patch(BOB, {"label": "x"})

    assert (agent.max_depth, agent.on_full) == (5, OnFull.DROP_OLDEST)


def test_a_registration_that_changed_meanwhile_is_read_again(stage: Stage) -> None:
    store = stage.broker.agents._store
    read, reads = store.read, []

    def read_while_another_registers(names: list[AgentId]) -> list[dict[str, str]]:
        before = read(names)
        reads.append(before)
        if len(reads) == 1:
            stage.broker.agents.register(BOB, {"label": "another"})
        return before

    store.read = read_while_another_registers  # type: ignore[method-assign,assignment]
    agent = stage.broker.agents.register(BOB, {"tags": ("mine",)}).agent

    assert (agent.profile.label, agent.profile.tags) == ("another", ("mine",))
