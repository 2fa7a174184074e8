"""The roll: register.lua, unregister.lua, and what a process remembers of them."""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from broker.directory.agents import AgentKind, InboxLimits
from broker.directory.roll import RollCall, Trait
from broker.directory.store import AgentStore
from broker.kernel.ids import AgentId
from broker.storage.connection import Command
from tests.redis.racing import race
from tests.redis.stage import Stage
from tests.waiting import until

ALICE, BOB, CAROL = AgentId("alice"), AgentId("bob"), AgentId("carol")


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rolls(stage: Stage, clock: Clock) -> RollCall:
    """Another process's memory of the register."""
    return RollCall(AgentStore(stage.broker.redis, stage.broker.keys, activity_cap=10), now=clock)


def become(stage: Stage, agent: AgentId, **profile: Any) -> None:
    stage.broker.agents.register(agent, profile)


@pytest.fixture
def trips(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[list[Command]]:
    """The commands of each trip from now on."""
    made: list[list[Command]] = []
    commands: Callable[..., Any] = stage.broker.redis.commands

    def noted(asked: list[Command]) -> list[Any]:
        made.append(asked)
        return list(commands(asked))

    monkeypatch.setattr(stage.broker.redis, "commands", noted)
    return made


def test_the_roll_says_what_every_agent_is(stage: Stage, rolls: RollCall) -> None:
    become(stage, BOB, label="b", tags=("x", "y"), capabilities=("go",), parent=ALICE, ready=False)
    stage.broker.agents.patch(BOB, {}, InboxLimits(max_depth=7))

    bob = rolls.current().find(BOB)

    assert bob is not None
    assert (bob.label, bob.tags) == ("b", frozenset({"x", "y"}))
    assert bob.capabilities == {"go"}
    assert (bob.kind, bob.parent, bob.ready, bob.max_depth) == (
        AgentKind.PROVIDER,
        ALICE,
        False,
        7,
    )


def test_groups_are_who_shares_a_trait(stage: Stage, rolls: RollCall) -> None:
    become(stage, ALICE, tags=("x",), capabilities=("x",))
    become(stage, BOB, tags=("x", "y"), label="x")

    roll = rolls.current()

    assert roll.having(Trait.TAG, "x") == {ALICE, BOB}
    assert roll.having(Trait.CAPABILITY, "x") == {ALICE}
    assert roll.having(Trait.LABEL, "x") == {BOB}
    assert roll.having(Trait.LABEL, "z") == set()
    assert roll.names(Trait.TAG) == {"x", "y"}


def test_built_in_agents_are_on_the_roll_but_in_no_group(stage: Stage, rolls: RollCall) -> None:
    become(stage, AgentId("user"), tags=("x",))

    roll = rolls.current()

    assert roll.find(AgentId("user")) is not None
    assert roll.having(Trait.TAG, "x") == set()
    assert roll.everyone == {ALICE, BOB}


def test_what_changed_is_seen_at_once(stage: Stage, rolls: RollCall) -> None:
    before = rolls.current()
    become(stage, CAROL, tags=("x",))
    stage.broker.agents.patch(BOB, {"tags": ("x",)})
    stage.broker.agents.delete(ALICE)

    after = rolls.current()

    assert after.everyone == {BOB, CAROL}
    assert after.having(Trait.TAG, "x") == {BOB, CAROL}
    assert before.everyone == {ALICE, BOB}


def test_a_limit_that_changed_is_seen_at_once(stage: Stage, rolls: RollCall) -> None:
    rolls.current()
    stage.broker.agents.patch(BOB, {}, InboxLimits(max_depth=3))

    bob = rolls.current().find(BOB)

    assert bob is not None
    assert bob.max_depth == 3


def test_to_look_again_is_one_trip_while_nothing_changed(
    stage: Stage, rolls: RollCall, trips: list[list[Command]]
) -> None:
    rolls.current()
    trips.clear()
    stage.broker.agents.heartbeat(BOB)
    stage.broker.redis.command("PING")

    rolls.current()

    assert [len(trip) for trip in trips if trip[0][0] == "GET"] == [4]
    assert not [trip for trip in trips if trip[0][0] == "ZRANGE"]


def test_who_registers_again_unchanged_changes_no_roll(
    stage: Stage, rolls: RollCall, trips: list[list[Command]]
) -> None:
    become(stage, BOB, tags=("x",))
    stage.broker.agents.patch(BOB, {}, InboxLimits(max_depth=3))
    rolls.current()
    trips.clear()

    stage.broker.agents.register(
        BOB, {"tags": ("x",)}, instance_id="another", limits=InboxLimits(max_depth=3)
    )
    rolls.current()

    assert not [trip for trip in trips if trip[0][0] == "ZRANGE"]


def test_only_partitions_that_changed_are_read_again(
    stage: Stage, rolls: RollCall, trips: list[list[Command]]
) -> None:
    rolls.current()
    become(stage, BOB, tags=("x",))
    trips.clear()

    rolls.current()

    (listing,) = [trip for trip in trips if trip[0][0] == "ZRANGE"]
    partition = stage.broker.keys.partition_for(BOB)
    assert listing == [("ZRANGE", stage.broker.keys.agents(partition), 0, -1)]


def test_for_a_moment_the_roll_is_not_asked_for_again(
    stage: Stage, rolls: RollCall, clock: Clock
) -> None:
    rolls.current()
    become(stage, CAROL)

    clock.now += 0.4
    assert CAROL not in rolls.recent().everyone
    clock.now += 0.2
    assert CAROL in rolls.recent().everyone


def test_an_older_look_never_hides_what_changed_since(stage: Stage, rolls: RollCall) -> None:
    names = [AgentId(f"agent-{number}") for number in range(20)]

    race(
        *(partial(become, stage, name, tags=("x",)) for name in names),
        *itertools.repeat(rolls.current, 8),
    )

    assert rolls.current().having(Trait.TAG, "x") == set(names)


def test_a_version_that_a_failover_took_back_is_another_version(
    stage: Stage, rolls: RollCall
) -> None:
    key = stage.broker.keys.roll_version(stage.broker.keys.partition_for(BOB))
    lost = stage.broker.redis.command("GET", key)
    become(stage, BOB, tags=("lost",))
    rolls.current()
    lost_at = stage.now()

    stage.broker.redis.command("SET", key, lost)
    until(lambda: stage.now() > lost_at, within=1, what="the next ms")
    become(stage, BOB, tags=("kept",))

    assert rolls.current().having(Trait.TAG, "kept") == {BOB}
