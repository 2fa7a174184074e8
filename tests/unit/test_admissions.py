from collections.abc import Sequence
from dataclasses import replace

import pytest

from broker.kernel.ids import AgentId, Partition
from broker.messaging.admissions import Admissions
from broker.messaging.outgoing_store import Admission

pytestmark = pytest.mark.unit

BOB = AgentId("bob")
HERE, THERE = Partition(1), Partition(2)


class Inboxes:
    """Inboxes that count how often they are asked, and the time that passes meanwhile."""

    def __init__(self) -> None:
        self.asked = 0
        self.seconds = 100.0
        self.bob = Admission(
            agent_id=BOB, registered=True, depth=0, arrived=0, max_depth=10, on_full="reject"
        )

    def read(self, partition: Partition, agents: Sequence[AgentId]) -> list[Admission]:
        del partition
        self.asked += 1
        return [replace(self.bob, agent_id=agent) for agent in agents]

    def now(self) -> float:
        return self.seconds


@pytest.fixture
def inboxes() -> Inboxes:
    return Inboxes()


@pytest.fixture
def admissions(inboxes: Inboxes) -> Admissions:
    return Admissions(inboxes.read, now=inboxes.now)


def test_a_sender_at_work_asks_once(admissions: Admissions, inboxes: Inboxes) -> None:
    first = admissions.of(HERE, [BOB], fresh=False)
    second = admissions.of(HERE, [BOB], fresh=False)

    assert first == second
    assert inboxes.asked == 1


def test_the_moment_passes(admissions: Admissions, inboxes: Inboxes) -> None:
    admissions.of(HERE, [BOB], fresh=False)

    inboxes.seconds += 0.3
    inboxes.bob = replace(inboxes.bob, depth=3)

    assert admissions.of(HERE, [BOB], fresh=False)[BOB].depth == 3


def test_who_wants_to_know_now_asks(admissions: Admissions, inboxes: Inboxes) -> None:
    admissions.of(HERE, [BOB], fresh=False)

    admissions.of(HERE, [BOB], fresh=True)

    assert inboxes.asked == 2


def test_each_partition_has_its_own_counter(admissions: Admissions, inboxes: Inboxes) -> None:
    admissions.of(HERE, [BOB], fresh=False)
    admissions.of(THERE, [BOB], fresh=False)
    admissions.of(HERE, [BOB], fresh=False)

    assert inboxes.asked == 2


@pytest.mark.parametrize(
    "changed", [{"registered": False}, {"depth": 5}, {"depth": 10}, {"max_depth": 0}]
)
def test_an_unknown_or_filling_inbox_is_asked_each_time(
    admissions: Admissions, inboxes: Inboxes, changed: dict[str, int]
) -> None:
    inboxes.bob = replace(inboxes.bob, **changed)  # type: ignore[arg-type] # either field's type

    admissions.of(HERE, [BOB], fresh=False)
    admissions.of(HERE, [BOB], fresh=False)

    assert inboxes.asked == 2


def test_a_deleted_agent_is_forgotten_at_once(admissions: Admissions, inboxes: Inboxes) -> None:
    admissions.of(HERE, [BOB], fresh=False)

    inboxes.bob = replace(inboxes.bob, registered=False)
    admissions.forget(BOB)

    assert not admissions.of(HERE, [BOB], fresh=False)[BOB].registered


def test_only_what_is_not_known_is_asked(admissions: Admissions, inboxes: Inboxes) -> None:
    admissions.of(HERE, [BOB], fresh=False)

    found = admissions.of(HERE, [BOB, AgentId("carol")], fresh=False)

    assert set(found) == {"bob", "carol"}
    assert inboxes.asked == 2
