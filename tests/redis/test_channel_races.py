"""Channels that many change at once."""

from functools import partial

import pytest

from broker.kernel.ids import AgentId
from broker.routing.channel_store import Channel
from broker.routing.channels import Changes, Definition
from tests.redis.channel_scene import (
    ALICE,
    BOB,
    CAROL,
    EVERYBODY,
    X,
    as_,
    audience,
    make,
    members,
)
from tests.redis.racing import race, succeeded
from tests.redis.stage import Stage

pytestmark = pytest.mark.usefixtures("carol")


# --- races ----------------------------------------------------------------------------------


def test_a_channel_is_made_by_one_of_many_at_once(stage: Stage) -> None:
    agents = [AgentId(f"agent-{number}") for number in range(8)]
    stage.register(*agents)

    results = race(
        *(partial(stage.broker.channels.create, Definition(id=X, owner=agent)) for agent in agents)
    )

    ((channel, created),) = succeeded(results)
    assert created
    assert members(stage) == {channel.owner}


def test_many_join_and_leave_at_once_and_none_is_lost(stage: Stage) -> None:
    make(stage)
    agents = [AgentId(f"agent-{number:02d}") for number in range(16)]
    stage.register(*agents)
    leaving, joining = agents[:8], agents[8:]
    for agent in leaving:
        stage.broker.channels.join(X, agent, as_(agent))

    results = race(
        *(partial(stage.broker.channels.leave, X, agent, as_(agent)) for agent in leaving),
        *(partial(stage.broker.channels.join, X, agent, as_(agent)) for agent in joining),
    )

    assert len(succeeded(results)) == len(agents)
    assert members(stage) == {ALICE, *joining}
    assert audience(stage) == {ALICE, *joining}


def test_joining_and_deleting_a_channel_leave_all_of_it_or_nothing(stage: Stage) -> None:
    agents = [AgentId(f"agent-{number}") for number in range(6)]
    stage.register(*agents)
    keys, redis = stage.broker.keys, stage.broker.redis

    for _ in range(10):
        make(stage)
        race(
            *(partial(stage.broker.channels.join, X, agent, as_(agent)) for agent in agents),
            partial(stage.broker.channels.delete, X, as_(ALICE)),
        )
        assert not redis.command("EXISTS", keys.channel(X))
        assert not redis.command("EXISTS", keys.channel_members(X))


def test_of_two_owners_that_hand_over_at_once_one_succeeds(stage: Stage) -> None:
    for _ in range(10):
        make(stage)
        for agent in (BOB, CAROL):
            stage.broker.channels.join(X, agent, as_(agent))

        results = race(
            *(
                partial(stage.broker.channels.change, X, Changes(owner=agent), as_(ALICE))
                for agent in (BOB, CAROL)
            )
        )

        owners = {one.owner for one in succeeded(results)}
        assert len(owners) == 1
        assert stage.broker.channels.get(X, EVERYBODY).owner in owners
        stage.broker.channels.delete(X, EVERYBODY)


def test_an_invitation_counts_only_if_its_author_is_still_a_member(stage: Stage) -> None:
    for _ in range(10):
        make(stage, private=True)
        stage.broker.channels.invite(X, BOB, as_(ALICE))

        invited, _ = race(
            partial(stage.broker.channels.invite, X, CAROL, as_(BOB)),
            partial(stage.broker.channels.remove, X, BOB, as_(ALICE)),
        )

        assert members(stage) == {ALICE} | ({CAROL} if isinstance(invited, Channel) else set())
        stage.broker.channels.delete(X, EVERYBODY)


def test_a_new_owner_cannot_leave_in_the_moment_of_taking_over(stage: Stage) -> None:
    for _ in range(10):
        make(stage)
        stage.broker.channels.join(X, BOB, as_(BOB))

        race(
            partial(stage.broker.channels.change, X, Changes(owner=BOB), as_(ALICE)),
            partial(stage.broker.channels.leave, X, BOB, as_(BOB)),
        )

        assert stage.broker.channels.get(X, EVERYBODY).owner in members(stage)
        stage.broker.channels.delete(X, EVERYBODY)
