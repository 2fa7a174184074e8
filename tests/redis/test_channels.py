"""Channels and who is in them: the transitions of broker/routing/lua/*_channel.lua."""

from functools import partial

import pytest

from broker.kernel.errors import (
    ConflictError,
    ForbiddenError,
    InvalidFieldsError,
    UnknownAgentError,
)
from broker.kernel.ids import AgentId, ChannelId
from broker.routing.channel_members import NotAMemberError
from broker.routing.channel_store import Member
from broker.routing.channels import Changes, ChannelNotFoundError, Definition
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
    members_of,
    register_anew,
    store_of,
)
from tests.redis.stage import Stage

pytestmark = pytest.mark.usefixtures("carol")


# --- making and changing --------------------------------------------------------------------


def test_a_channel_is_made_once_and_its_owner_is_its_first_member(stage: Stage) -> None:
    wanted = Definition(id=X, owner=ALICE, topic="releases")

    first, created = stage.broker.channels.create(wanted)
    second, again = stage.broker.channels.create(wanted)

    assert (created, again) == (True, False)
    assert first == second
    assert (first.owner, first.topic, first.size) == (ALICE, "releases", 1)
    assert members(stage) == {ALICE}


@pytest.mark.parametrize(
    "other",
    [
        Definition(id=X, owner=BOB),
        Definition(id=X, owner=ALICE, topic="another"),
        Definition(id=X, owner=ALICE, is_private=True),
    ],
)
def test_an_id_that_is_taken_stays_with_the_first_channel(stage: Stage, other: Definition) -> None:
    make(stage)

    with pytest.raises(ConflictError):
        stage.broker.channels.create(other)


def test_a_channel_needs_an_owner_who_is_registered(stage: Stage) -> None:
    with pytest.raises(UnknownAgentError) as refused:
        make(stage, owner=AgentId("bobb"))

    assert refused.value.near == (BOB,)


def test_the_owner_changes_a_channel_and_nobody_else_but_operators(stage: Stage) -> None:
    make(stage)
    stage.broker.channels.join(X, BOB, as_(BOB))

    changed = stage.broker.channels.change(X, Changes(topic="news"), as_(ALICE))
    with pytest.raises(ForbiddenError):
        stage.broker.channels.change(X, Changes(topic="mine"), as_(BOB))
    cleared = stage.broker.channels.change(X, Changes(topic=""), EVERYBODY)

    assert (changed.topic, cleared.topic) == ("news", None)
    assert cleared.is_private is False


def test_a_channel_is_handed_over_to_a_member(stage: Stage) -> None:
    make(stage)
    with pytest.raises(InvalidFieldsError):
        stage.broker.channels.change(X, Changes(owner=BOB), as_(ALICE))
    stage.broker.channels.join(X, BOB, as_(BOB))

    assert stage.broker.channels.change(X, Changes(owner=BOB), as_(ALICE)).owner == BOB

    stage.broker.channels.leave(X, ALICE, as_(ALICE))
    with pytest.raises(ConflictError):
        stage.broker.channels.leave(X, BOB, as_(BOB))


def test_nothing_is_left_of_a_deleted_channel(stage: Stage) -> None:
    make(stage)
    stage.broker.channels.join(X, BOB, as_(BOB))
    with pytest.raises(ForbiddenError):
        stage.broker.channels.delete(X, as_(BOB))

    stage.broker.channels.delete(X, as_(ALICE))

    with pytest.raises(ChannelNotFoundError):
        stage.broker.channels.get(X, EVERYBODY)
    keys, redis = stage.broker.keys, stage.broker.redis
    assert not redis.command("EXISTS", keys.channel_members(X))
    assert stage.broker.channels.find(EVERYBODY, limit=10) == ([], None)
    make(stage, owner=BOB)
    assert members(stage) == {BOB}


# --- joining and leaving --------------------------------------------------------------------


def test_anybody_joins_and_leaves_a_public_channel(stage: Stage) -> None:
    make(stage)

    for _ in range(2):
        stage.broker.channels.join(X, BOB, as_(BOB))
    assert members(stage) == {ALICE, BOB}

    for _ in range(2):
        stage.broker.channels.leave(X, BOB, as_(BOB))
    assert members(stage) == {ALICE}


def test_a_private_channel_is_there_for_its_members_alone(stage: Stage) -> None:
    make(stage, private=True)
    channels = stage.broker.channels

    for refused in (
        partial(channels.get, X, as_(BOB)),
        partial(channels.join, X, BOB, as_(BOB)),
        partial(channels.leave, X, BOB, as_(BOB)),
        partial(channels.invite, X, BOB, as_(BOB)),
        partial(channels.remove, X, ALICE, as_(BOB)),
        partial(channels.change, X, Changes(topic="mine"), as_(BOB)),
        partial(channels.delete, X, as_(BOB)),
        partial(channels.members, X, as_(BOB), limit=10),
        partial(channels.history, X, as_(BOB), limit=10),
        partial(channels.get, X, frozenset()),
    ):
        with pytest.raises(ChannelNotFoundError):
            refused()

    assert channels.find(as_(BOB), limit=10) == ([], None)
    assert [one.id for one in channels.find(as_(BOB, ALICE), limit=10)[0]] == [X]


def test_a_private_channel_is_joined_by_invitation_of_a_member(stage: Stage) -> None:
    make(stage, private=True)
    channels = stage.broker.channels
    with pytest.raises(NotAMemberError):
        channels.join(X, BOB, EVERYBODY)

    channels.invite(X, BOB, as_(ALICE))
    channels.invite(X, CAROL, as_(BOB))

    assert members(stage) == {ALICE, BOB, CAROL}
    assert channels.join(X, BOB, as_(BOB)).id == X


def test_only_members_and_operators_invite_to_a_public_channel(stage: Stage) -> None:
    make(stage)

    with pytest.raises(NotAMemberError):
        stage.broker.channels.invite(X, CAROL, as_(BOB))

    stage.broker.channels.invite(X, CAROL, EVERYBODY)
    assert members(stage) == {ALICE, CAROL}


def test_the_owner_sends_members_away_and_others_only_themselves(stage: Stage) -> None:
    make(stage)
    channels = stage.broker.channels
    for agent in (BOB, CAROL):
        channels.join(X, agent, as_(agent))

    with pytest.raises(ForbiddenError):
        channels.remove(X, CAROL, as_(BOB))
    channels.remove(X, CAROL, as_(ALICE))
    channels.remove(X, BOB, as_(BOB))

    assert members(stage) == {ALICE}


def test_only_the_registered_join(stage: Stage) -> None:
    make(stage)

    with pytest.raises(UnknownAgentError):
        stage.broker.channels.join(X, AgentId("nobody"), EVERYBODY)


def test_members_are_listed_page_by_page(stage: Stage) -> None:
    make(stage)
    others = [AgentId(f"agent-{number:02d}") for number in range(25)]
    stage.register(*others)
    for agent in others:
        stage.broker.channels.join(X, agent, as_(agent))
    for agent in others[::5]:
        stage.broker.agents.delete(agent)

    found: list[AgentId] = []
    cursor: Member | None = None
    while True:
        page, cursor = stage.broker.channels.members(X, EVERYBODY, limit=7, after=cursor)
        assert len(page) <= 7
        found += [one.agent for one in page]
        if cursor is None:
            break

    assert sorted(found) == sorted({ALICE, *others} - set(others[::5]))


def test_channels_are_listed_by_name_and_by_member(stage: Stage) -> None:
    names = [ChannelId(f"channel-{number}") for number in range(5)]
    for number, name in enumerate(names):
        definition = Definition(id=name, owner=BOB if number % 2 else ALICE)
        stage.broker.channels.create(definition)

    first, cursor = stage.broker.channels.find(EVERYBODY, limit=3)
    second, end = stage.broker.channels.find(EVERYBODY, limit=3, after=cursor)
    of_bob, _ = stage.broker.channels.find(EVERYBODY, limit=9, member=BOB)

    assert [one.id for one in first + second] == names
    assert end is None
    assert [one.id for one in of_bob] == names[1::2]


# --- those who go, and those who come under their names -------------------------------------


def test_a_deleted_agent_is_no_member_and_nor_is_its_namesake(stage: Stage) -> None:
    make(stage, private=True)
    stage.broker.channels.invite(X, BOB, as_(ALICE))

    register_anew(stage, BOB)

    assert members(stage) == {ALICE}
    assert audience(stage) == {ALICE}
    with pytest.raises(ChannelNotFoundError):
        stage.broker.channels.get(X, as_(BOB))
    assert isinstance(members_of(stage).refusal(BOB, X), NotAMemberError)


def test_a_namesake_of_the_owner_is_not_the_owner_even_as_a_member(stage: Stage) -> None:
    make(stage)
    register_anew(stage, ALICE)
    stage.broker.channels.join(X, ALICE, as_(ALICE))

    assert stage.broker.channels.get(X, EVERYBODY).owner is None
    with pytest.raises(ForbiddenError):
        stage.broker.channels.delete(X, as_(ALICE))
    stage.broker.channels.change(X, Changes(owner=ALICE), EVERYBODY)
    stage.broker.channels.delete(X, as_(ALICE))


def test_a_namesake_of_the_owner_can_change_nothing(stage: Stage) -> None:
    make(stage)
    stage.broker.channels.join(X, BOB, as_(BOB))
    register_anew(stage, ALICE)

    with pytest.raises(ForbiddenError):
        stage.broker.channels.change(X, Changes(topic="mine"), as_(ALICE))
    with pytest.raises(ForbiddenError):
        stage.broker.channels.remove(X, BOB, as_(ALICE))
    with pytest.raises(ConflictError):
        make(stage)


def test_the_gone_are_swept_out_and_leave_no_owner(stage: Stage) -> None:
    make(stage)
    stage.broker.channels.join(X, BOB, as_(BOB))
    stage.broker.agents.delete(ALICE)

    assert members(stage) == {BOB}

    channel = stage.broker.channels.get(X, EVERYBODY)
    assert (channel.owner, channel.size) == (None, 1)


def test_sweeping_out_spares_who_has_joined_anew(stage: Stage) -> None:
    make(stage)
    stage.broker.channels.join(X, BOB, as_(BOB))
    (gone,) = [one for one in store_of(stage).members(X) if one.agent == BOB]
    register_anew(stage, BOB)
    stage.broker.channels.join(X, BOB, as_(BOB))

    store_of(stage).evict(X, [gone])

    assert members(stage) == {ALICE, BOB}
