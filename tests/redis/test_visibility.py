"""What viewers see: their own things, page by page, and of others not even that they exist."""

import random
from collections.abc import Callable, Sequence

import pytest

from broker.kernel.errors import (
    BrokerError,
    DeadLetterNotFoundError,
    ForbiddenError,
    InvalidFieldsError,
    MessageNotFoundError,
    RecurringNotFoundError,
)
from broker.kernel.ids import AgentId, ChannelId, MessageId, ThreadId, new_id
from broker.kernel.viewer import EVERYONE, Viewer
from broker.messaging import visibility
from broker.messaging.dead_letters import DeadLetterFilter
from broker.messaging.message import Message
from broker.messaging.receipts import Listing, UnknownThreadError
from broker.messaging.recurring_definition import RecurringRequest
from broker.routing.channels import Definition
from tests.redis.stage import Stage, token

AGENTS = ("alice", "bob", "carol", "dora")
PAGES_AT_MOST = 1_000


def view_of(*agents: str) -> frozenset[AgentId]:
    return frozenset(map(AgentId, agents))


def listed(stage: Stage, viewer: Viewer, limit: int, **wanted: object) -> list[MessageId]:
    seen: list[MessageId] = []
    before = None
    for _ in range(PAGES_AT_MOST):
        page, before = stage.broker.archive.find(
            Listing(**wanted),  # type: ignore[arg-type] # a test knows
            limit=limit,
            before=before,
            viewer=viewer,
        )
        seen += [one.message.id for one in page]
        if before is None:
            return seen
    raise AssertionError(seen)


@pytest.fixture
def busy(stage: Stage) -> dict[MessageId, set[str]]:
    """Sixty messages among four agents, of all ways to be sent; whom each has concerned so far."""
    stage.register("carol", "dora")
    chance = random.Random(5)
    concerned: dict[MessageId, set[str]] = {}
    for number in range(60):
        sender, *others = chance.sample(AGENTS, 4)
        match number % 4:
            case 0:
                concerned[stage.send("broadcast", sender)] = {*AGENTS}
            case 1:
                concerned[stage.send(tuple(others[:2]), sender)] = {sender, *others[:2]}
            case 2:
                concerned[stage.send(others[0], sender)] = {sender, others[0]}
            case 3:
                concerned[stage.send(others[0], sender, delay_ms=3_600_000)] = {sender}
    stage.route()
    for delivered in stage.lease("carol", 5):
        stage.ack(delivered, "carol")
    return concerned


VIEWERS = [("alice",), ("bob", "carol"), ("dora",), AGENTS, (), ("nobody",)]


@pytest.mark.parametrize("names", VIEWERS)
@pytest.mark.parametrize("at_most", [0, 20_000])
def test_a_viewer_lists_what_it_sent_and_what_reached_it(
    stage: Stage,
    busy: dict[MessageId, set[str]],
    names: tuple[str, ...],
    at_most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(visibility, "_RECEIVED_AT_MOST", at_most)
    expected = [name for name in reversed(busy) if not busy[name].isdisjoint(names)]

    assert listed(stage, view_of(*names), 7) == expected
    assert listed(stage, view_of(*names), 1000) == expected
    assert listed(stage, EVERYONE, 7) == list(reversed(busy))


def test_a_viewer_lists_the_messages_of_a_sender_that_reached_it(
    stage: Stage, busy: dict[MessageId, set[str]]
) -> None:
    own = listed(stage, view_of("bob"), 5, sender=AgentId("bob"))
    of_another = listed(stage, view_of("bob"), 5, sender=AgentId("alice"))

    sent_by = {
        name: stage.broker.archive.get(name).message.sender for name in busy if "bob" in busy[name]
    }
    assert own == [name for name in reversed(sent_by) if sent_by[name] == "bob"]
    assert of_another == [name for name in reversed(sent_by) if sent_by[name] == "alice"]


def test_listing_for_an_agent_leaves_the_histories_of_strangers_alone(
    make_stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much others have to say to each other, an agent's own are found at once."""
    stage = make_stage()
    own = stage.deliver("bob", "alice")
    strangers = [name for name in map(str, range(40)) if apart(stage, name)][:3]
    stage.register(*strangers)
    for sender in strangers:
        stage.broker.queue.send_many([stage.draft(strangers[0], sender) for _ in range(300)])
    stage.route()
    read: list[int] = []
    archive = stage.broker.archive
    unwatched = archive._records.read

    def watched(ids: Sequence[MessageId]) -> list[Message | None]:
        read.append(len(ids))
        return unwatched(ids)

    monkeypatch.setattr(archive._records, "read", watched)

    found = listed(stage, view_of("bob"), 100)

    assert found == [own]
    assert sum(read) < 100


def apart(stage: Stage, name: str) -> bool:
    """Whether it lives in another partition than alice and bob."""
    partition_for = stage.broker.keys.partition_for
    return partition_for(name) not in {partition_for("alice"), partition_for("bob")}


def refusal(action: Callable[[], object]) -> BrokerError:
    with pytest.raises(BrokerError) as refused:
        action()
    return refused.value


def test_what_is_another_s_is_answered_for_as_if_it_had_never_been(stage: Stage) -> None:
    archive, carol = stage.broker.archive, view_of("carol")
    sent = stage.deliver()
    never = MessageId(
        new_id("msg", at_ms=stage.now(), partition=stage.broker.keys.partition_of(sent))
    )

    for action in (
        lambda name: archive.get(name, carol),
        lambda name: archive.receipts(name, carol),
        lambda name: stage.broker.withdrawals.cancel(name, carol),
        lambda name: archive.thread(ThreadId(name), limit=5, viewer=carol),
        lambda name: stage.broker.queue.send(stage.draft("bob", "carol", reply_to=name), carol),
        lambda name: stage.broker.queue.send(stage.draft("bob", "carol", supersedes=name), carol),
    ):
        of_another = refusal(lambda action=action: action(sent))  # type: ignore[misc]
        of_none = refusal(lambda action=action: action(never))  # type: ignore[misc]
        assert type(of_another) is type(of_none)
        assert of_another.detail.replace(sent, never) == of_none.detail
        assert of_another.problems == of_none.problems
    assert stage.state(sent) == "queued"


def test_a_recipient_sees_a_message_from_when_it_reaches_it(stage: Stage) -> None:
    archive, bob = stage.broker.archive, view_of("bob")
    on_its_way = stage.send()

    with pytest.raises(MessageNotFoundError):
        archive.get(on_its_way, bob)
    stage.route()

    assert archive.get(on_its_way, bob).message.id == on_its_way
    stage.ack(stage.lease_one())
    assert archive.get(on_its_way, bob).state == "acknowledged"
    assert [one.agent_id for one in archive.receipts(on_its_way, bob)] == ["bob"]


def test_only_the_sender_withdraws_a_message(stage: Stage) -> None:
    sent = stage.deliver()

    with pytest.raises(ForbiddenError):
        stage.broker.withdrawals.cancel(sent, view_of("bob"))
    assert stage.state(sent) == "queued"
    stage.broker.withdrawals.cancel(sent, view_of("alice"))

    assert stage.state(sent) == "cancelled"


def test_a_conversation_shows_each_viewer_its_own_part(stage: Stage) -> None:
    stage.register("carol")
    thread = ThreadId("release")
    first = stage.send("bob", "alice", thread_id=thread)
    joined = stage.send("alice", "carol", thread_id=thread)
    rest = [stage.send("bob", "alice", thread_id=thread) for _ in range(5)]
    stage.route()

    def told(viewer: Viewer) -> list[MessageId]:
        seen: list[MessageId] = []
        after = None
        while True:
            page, after = stage.broker.archive.thread(thread, limit=2, after=after, viewer=viewer)
            seen += [one.message.id for one in page]
            if after is None:
                return seen

    assert told(view_of("bob")) == [first, *rest]
    assert told(view_of("carol")) == [joined]
    assert told(view_of("alice")) == told(EVERYONE) == [first, joined, *rest]
    for viewer, after in ((view_of("dora"), None), (view_of("carol"), first)):
        with pytest.raises(UnknownThreadError):
            stage.broker.archive.thread(thread, limit=2, after=after, viewer=viewer)


def test_one_replies_to_what_one_may_see(stage: Stage) -> None:
    asked = stage.deliver()

    replied = stage.broker.queue.send(stage.draft("alice", "bob", reply_to=asked), view_of("bob"))

    assert replied.thread_id == ThreadId(asked)
    with pytest.raises(InvalidFieldsError):
        stage.broker.queue.send(stage.draft("alice", "bob", supersedes=asked), view_of("bob"))


def test_what_was_posted_to_a_channel_is_not_seen_by_members_of_its_namesake(
    stage: Stage,
) -> None:
    stage.register("carol")
    channels, archive = stage.broker.channels, stage.broker.archive
    ops = ChannelId("ops")
    channels.create(Definition(id=ops, owner=AgentId("alice"), is_private=True))
    channels.invite(ops, AgentId("bob"), view_of("alice"))
    posted = stage.deliver("channel:ops", "alice")
    channels.invite(ops, AgentId("carol"), view_of("alice"))

    assert archive.get(posted, view_of("carol")).message.id == posted
    channels.delete(ops, view_of("alice"))
    channels.create(Definition(id=ops, owner=AgentId("carol"), is_private=True))

    with pytest.raises(MessageNotFoundError):
        archive.get(posted, view_of("carol"))
    assert archive.get(posted, view_of("bob")).message.id == posted


def test_a_dead_letter_is_its_recipient_s_and_shown_to_its_sender(stage: Stage) -> None:
    letters = stage.broker.dead_letters
    stage.deliver()
    delivered = stage.lease_one()
    stage.broker.inboxes.reject(
        AgentId("bob"), delivered.message.id, token(delivered), permanent=True
    )

    def found(*names: str) -> int:
        return len(letters.find(DeadLetterFilter(), limit=5, viewer=view_of(*names))[0])

    (letter,), _ = letters.find(DeadLetterFilter(), limit=5)
    assert (found("alice"), found("bob"), found("carol"), found()) == (1, 1, 0, 0)
    with pytest.raises(DeadLetterNotFoundError):
        letters.retry(letter.id, view_of("carol"))
    with pytest.raises(ForbiddenError):
        letters.resolve(letter.id, "never mind", view_of("alice"))
    assert letters.get(letter.id, view_of("alice")).status == "open"
    letters.retry(letter.id, view_of("bob"))

    assert letters.get(letter.id).status == "retried"


def test_a_recurring_message_is_its_sender_s(stage: Stage) -> None:
    recurring, bob = stage.broker.recurring, view_of("bob")
    created, _ = recurring.create(
        RecurringRequest(template=stage.draft(), schedule="interval:3600")
    )

    for action in (
        lambda: recurring.get(created.id, bob),
        lambda: recurring.pause(created.id, bob),
        lambda: recurring.resume(created.id, bob),
        lambda: recurring.cancel(created.id, bob),
        lambda: recurring.history(created.id, limit=5, viewer=bob),
        lambda: recurring.next_times(created.id, 5, bob),
    ):
        assert isinstance(refusal(action), RecurringNotFoundError)
    assert recurring.find(limit=5, viewer=bob) == ([], None)
    assert recurring.find(limit=5, viewer=view_of("alice")) == ([created], None)
    assert recurring.pause(created.id, view_of("alice")).state == "paused"
