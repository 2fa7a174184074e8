"""Channels and who is in them: the transitions of broker/routing/lua/*_channel.lua."""

from functools import partial

import pytest

from broker.kernel.errors import (
    ConflictError,
    ForbiddenError,
    InvalidFieldsError,
    MessageNotFoundError,
    UnknownAgentError,
)
from broker.kernel.ids import AgentId, ChannelId
from broker.routing.audience import Groups
from broker.routing.channel_members import ChannelMembers, NotAMemberError
from broker.routing.channel_roster import Rosters
from broker.routing.channel_store import Channel, ChannelStore, Member
from broker.routing.channels import Changes, ChannelNotFoundError, Definition
from broker.routing.targets import Group, GroupKind
from tests.redis.racing import race, succeeded
from tests.redis.stage import HOUR_MS, Stage

ALICE, BOB, CAROL = AgentId("alice"), AgentId("bob"), AgentId("carol")
X = ChannelId("x")
EVERYBODY = None


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """A stage with alice, bob and carol registered."""
    stage.register(CAROL)
    return stage


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


# --- making and changing ----------------------------------------------------------------------


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


# --- joining and leaving ----------------------------------------------------------------------


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


# --- those who go, and those who come under their names ---------------------------------------


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


# --- what routing asks ------------------------------------------------------------------------


def test_routing_learns_of_every_change_of_the_members(stage: Stage) -> None:
    assert audience(stage) is None
    make(stage)
    assert audience(stage) == {ALICE}
    stage.broker.channels.join(X, BOB, as_(BOB))
    assert audience(stage) == {ALICE, BOB}
    stage.broker.channels.leave(X, BOB, as_(BOB))
    assert audience(stage) == {ALICE}
    stage.broker.channels.delete(X, as_(ALICE))
    assert audience(stage) is None


def test_members_are_read_again_only_when_they_changed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(stage)
    store = store_of(stage)
    rosters, members_in_redis = Rosters(store), store.members
    read: list[ChannelId] = []

    def watched(name: ChannelId) -> list[Member]:
        read.append(name)
        return members_in_redis(name)

    monkeypatch.setattr(store, "members", watched)

    for _ in range(3):
        rosters.of(X)
    stage.broker.channels.join(X, BOB, as_(BOB))
    rosters.of(X)

    assert read == [X, X]


def test_rosters_of_large_channels_give_way_to_each_other(stage: Stage) -> None:
    names = [ChannelId(f"channel-{number}") for number in range(4)]
    for name in names:
        stage.broker.channels.create(Definition(id=name, owner=ALICE))
    rosters = Rosters(store_of(stage), kept=2)

    for name in names * 2:
        roster = rosters.of(name)
        assert roster is not None
        assert [one.agent for one in roster.members] == [ALICE]

    assert len(rosters._rosters) == 2


def test_who_may_post_is_decided_by_privacy_and_membership(stage: Stage) -> None:
    make(stage)
    assert members_of(stage).refusal(BOB, X) is None
    assert members_of(stage).refusal(BOB, "unknown") is None

    stage.broker.channels.change(X, Changes(is_private=True), as_(ALICE))

    assert isinstance(members_of(stage).refusal(BOB, X), NotAMemberError)
    assert members_of(stage).refusal(ALICE, X) is None


def test_readable_is_what_is_public_or_joined(stage: Stage) -> None:
    make(stage, private=True)
    open_one = ChannelId("open")
    stage.broker.channels.create(Definition(id=open_one, owner=BOB))
    asked = [X, open_one, ChannelId("unknown")]

    assert set(members_of(stage).readable(as_(ALICE), asked)) == {X, open_one}
    assert set(members_of(stage).readable(as_(BOB), asked)) == {open_one}
    assert set(members_of(stage).readable(EVERYBODY, asked)) == {X, open_one}


# --- races ------------------------------------------------------------------------------------


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


# --- what was posted --------------------------------------------------------------------------


def test_what_was_posted_is_found_by_whoever_may_see_the_channel(stage: Stage) -> None:
    make(stage, private=True)
    stage.broker.channels.invite(X, BOB, as_(ALICE))
    posted = stage.deliver(f"channel:{X}")
    with pytest.raises(MessageNotFoundError):
        stage.broker.archive.get(posted, as_(CAROL))

    stage.broker.channels.invite(X, CAROL, as_(BOB))
    assert stage.broker.archive.get(posted, as_(CAROL)).message.id == posted

    stage.broker.channels.remove(X, CAROL, as_(ALICE))
    with pytest.raises(MessageNotFoundError):
        stage.broker.archive.get(posted, as_(CAROL))


def test_what_is_yet_to_be_posted_is_its_authors_alone(stage: Stage) -> None:
    make(stage)
    stage.broker.channels.join(X, BOB, as_(BOB))
    delayed = stage.deliver(f"channel:{X}", delay_ms=HOUR_MS)

    assert stage.broker.archive.get(delayed, as_(ALICE)).message.id == delayed
    for agent in (BOB, CAROL):
        with pytest.raises(MessageNotFoundError):
            stage.broker.archive.get(delayed, as_(agent))
    assert stage.broker.channels.history(X, as_(BOB), limit=10) == ([], None)


def test_a_label_opens_no_message_to_the_members_of_a_channel_of_that_name(stage: Stage) -> None:
    make(stage)
    labelled = stage.deliver(BOB, ALICE, channel=X)

    with pytest.raises(MessageNotFoundError):
        stage.broker.archive.get(labelled, as_(CAROL))
    assert stage.broker.channels.history(X, EVERYBODY, limit=10) == ([], None)


def test_who_lost_the_right_to_post_before_the_delivery_time_reaches_nobody(stage: Stage) -> None:
    make(stage, private=True)
    stage.broker.channels.invite(X, BOB, as_(ALICE))
    delayed = stage.send((f"channel:{X}", CAROL), BOB, delay_ms=HOUR_MS)
    stage.broker.channels.remove(X, BOB, as_(ALICE))

    stage.shift(stage.broker.keys.delayed(stage.broker.keys.partition_for(BOB)), -2 * HOUR_MS)
    stage.route()

    assert [one.agent_id for one in stage.broker.archive.receipts(delayed)] == [CAROL]
    assert stage.inbox(ALICE) == []
    assert stage.inbox(CAROL) == [delayed]


def test_the_human_gets_what_is_posted_to_its_channels(stage: Stage) -> None:
    user = AgentId("user")
    make(stage)
    stage.broker.channels.join(X, user, EVERYBODY)

    posted = stage.deliver(f"channel:{X}")

    assert stage.inbox(user) == [posted]
