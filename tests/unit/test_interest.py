"""Which events a watcher is told of."""

from collections.abc import Collection

import pytest

from broker.kernel.ids import AgentId, MessageId, ThreadId
from broker.operations.interest import Interest, Origin
from broker.operations.timeline import Event, Item, Position

pytestmark = pytest.mark.unit

FIRST, SECOND, FORGOTTEN = (MessageId(name) for name in ("msg_1", "msg_2", "msg_3"))
ALICE, BOB, CAROL = (AgentId(name) for name in ("alice", "bob", "carol"))
ORIGINS = {
    FIRST: Origin(ALICE, ThreadId("plan")),
    SECOND: Origin(CAROL, ThreadId("other")),
}


def event(name: str, *items: Item) -> Event:
    return Event(position=Position(1, 1, 1), name=name, items=items)


def copy(message: MessageId, agent: AgentId) -> Item:
    return Item(message_id=message, agent_id=agent)


ACCEPTED = event("message.accepted", Item(message_id=FIRST), Item(message_id=SECOND))
QUEUED = event("delivery.queued", copy(FIRST, BOB), copy(SECOND, BOB), copy(SECOND, ALICE))
LATE = event("delivery.acknowledged", copy(FORGOTTEN, BOB))
JOINED = event("agent.registered", Item(agent_id=CAROL))
REPEATED = event("recurring.sent", Item(other_id="rec_1"))
BURIED = event("dead_letter.resolved", Item(other_id="dlq_1", agent_id=BOB))
ALL = (ACCEPTED, QUEUED, LATE, JOINED, REPEATED, BURIED)


def told(interest: Interest) -> list[tuple[str, tuple[Item, ...]]]:
    return [(one.name, one.items) for one in interest.select(ALL, lambda _: ORIGINS)]


def test_an_operator_who_asks_for_nothing_in_particular_is_told_all() -> None:
    def unneeded(_: Collection[MessageId]) -> dict[MessageId, Origin]:
        raise AssertionError("nothing depends on where messages come from")

    assert Interest().select(ALL, unneeded) == list(ALL)


def test_an_agent_is_told_of_what_it_sent_or_received_and_of_other_agents() -> None:
    assert told(Interest(viewer=frozenset({ALICE}))) == [
        ("message.accepted", (Item(message_id=FIRST),)),
        ("delivery.queued", (copy(FIRST, BOB), copy(SECOND, ALICE))),
        ("agent.registered", (Item(agent_id=CAROL),)),
    ]


def test_a_recipient_is_told_of_what_is_its_own_though_the_message_has_left() -> None:
    found = told(Interest(viewer=frozenset({BOB})))

    assert ("delivery.acknowledged", (copy(FORGOTTEN, BOB),)) in found
    assert ("dead_letter.resolved", BURIED.items) in found


def test_who_is_no_agent_is_told_of_agents_only() -> None:
    assert [name for name, _ in told(Interest(viewer=frozenset()))] == ["agent.registered"]


@pytest.mark.parametrize(
    ("events", "names"),
    [
        (("delivery.*",), ["delivery.queued", "delivery.acknowledged"]),
        (("message.accepted", "agent.*"), ["message.accepted", "agent.registered"]),
        (("delivery",), []),
    ],
)
def test_events_are_asked_for_by_name_or_family(events: tuple[str, ...], names: list[str]) -> None:
    assert [name for name, _ in told(Interest(events=events))] == names


def test_events_are_asked_for_by_agent_message_or_thread() -> None:
    assert told(Interest(agent=CAROL)) == [
        ("message.accepted", (Item(message_id=SECOND),)),
        ("delivery.queued", (copy(SECOND, BOB), copy(SECOND, ALICE))),
        ("agent.registered", (Item(agent_id=CAROL),)),
    ]
    assert told(Interest(message=SECOND, agent=ALICE)) == [
        ("delivery.queued", (copy(SECOND, ALICE),))
    ]
    assert told(Interest(thread=ThreadId("plan"))) == [
        ("message.accepted", (Item(message_id=FIRST),)),
        ("delivery.queued", (copy(FIRST, BOB),)),
    ]
