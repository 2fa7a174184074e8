"""What routing asks of channels, and who sees what was posted there (SPEC R5)."""

import pytest

from broker.kernel.errors import (
    MessageNotFoundError,
)
from broker.kernel.ids import AgentId, ChannelId
from broker.routing.channel_members import NotAMemberError
from broker.routing.channel_roster import Rosters
from broker.routing.channel_store import Member
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
    members_of,
    store_of,
)
from tests.redis.stage import HOUR_MS, Stage

pytestmark = pytest.mark.usefixtures("carol")


# --- what routing asks ----------------------------------------------------------------------


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


# --- what was posted ------------------------------------------------------------------------


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
