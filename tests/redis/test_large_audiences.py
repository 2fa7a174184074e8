"""Messages to very many: what one trip carries is bounded, however much is sent at once."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from broker.kernel.ids import AgentId, Partition
from broker.messaging.message import Strategy
from broker.messaging.queue import Accepted
from broker.messaging.receipts import Listing
from broker.routing.store import Committed
from broker.storage.scripts import Call
from tests.redis.conftest import MakeStage
from tests.redis.stage import Stage

THOUSAND = tuple(f"agent-{number:03d}" for number in range(1000))


@pytest.fixture
def calls(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[Sequence[Call]]:
    """The script calls of each trip from now on."""
    made: list[Sequence[Call]] = []
    call_many: Callable[[Sequence[Call]], Any] = stage.broker.redis.call_many

    def noted(asked: Sequence[Call]) -> Any:
        made.append(asked)
        return call_many(asked)

    monkeypatch.setattr(stage.broker.redis, "call_many", noted)
    return made


def named(calls: Sequence[Sequence[Call]], name: str) -> list[Call]:
    return [call for trip in calls for call in trip if call.script.name == name]


def bytes_of(call: Call) -> int:
    return sum(len(one) for one in call.args if isinstance(one, bytes))


def test_a_batch_of_messages_to_a_thousand_is_stored_a_few_at_a_time(
    stage: Stage, calls: list[Sequence[Call]]
) -> None:
    drafts = [stage.draft(THOUSAND, hold_for_unknown=True) for _ in range(30)]

    results = stage.broker.queue.send_many(drafts)

    assert all(isinstance(result, Accepted) for result in results)
    stored = named(calls, "enqueue")
    assert len(stored) == 15
    assert max(map(bytes_of, stored)) < 100_000
    # What the inboxes say is asked for once, and remembered for the rest of the batch.
    assert len(named(calls, "admission")) <= 1000 * len(stored)


def test_messages_to_a_thousand_are_routed_a_few_at_a_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.broker.queue.send_many([stage.draft(THOUSAND, hold_for_unknown=True) for _ in range(12)])
    store, carried = stage.broker.router._store, []
    commit = store.commit

    def noted(
        deliveries: Mapping[Partition, Mapping[AgentId, Sequence[Any]]], *rest: Any
    ) -> Committed | None:
        inboxes = [inbox for by_agent in deliveries.values() for inbox in by_agent.values()]
        carried.append(sum(map(len, inboxes)))
        return commit(deliveries, *rest)

    monkeypatch.setattr(store, "commit", noted)
    stage.route()

    assert sum(carried) == 12_000
    assert max(carried) <= 2_000
    assert len(carried) == 6
    assert len(stage.inbox(THOUSAND[-1])) == 12


def test_receipts_of_messages_to_a_thousand_are_read_a_part_at_a_time(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        stage.deliver(THOUSAND, hold_for_unknown=True)
    commands, largest = stage.broker.redis.commands, []

    def noted(asked: Sequence[Any]) -> list[Any]:
        largest.append(len(asked))
        return commands(asked)

    monkeypatch.setattr(stage.broker.redis, "commands", noted)
    page, _ = stage.broker.archive.find(Listing(), limit=10)

    assert len(page) == 5
    assert max(largest) <= 4_000


@pytest.mark.parametrize("strategy", Strategy)
def test_one_of_a_large_pool_is_picked_in_as_many_trips_as_one_of_a_small(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch, strategy: Strategy
) -> None:
    stage = make_stage()
    for number in range(60):
        stage.broker.agents.register(AgentId(f"w-{number}"), {"tags": ("pool",)})
    stage.broker.queue.send_many([stage.draft("tag:pool", strategy=strategy) for _ in range(200)])
    pools, trips = stage.broker.router._sources.pools, []
    measure = pools.measure

    def noted(agents: Any) -> Any:
        found = measure(agents)
        trips.append(len(found))
        return found

    monkeypatch.setattr(pools, "measure", noted)
    stage.route()

    assert set(trips) == {60}
    assert len(trips) == 1


def test_a_round_with_groups_looks_at_the_register_once(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.broker.agents.register(AgentId("bob"), {"tags": ("x",)})
    stage.broker.queue.send_many([stage.draft("tag:x") for _ in range(100)])
    rolls, looks = stage.broker.router._sources.rolls, []
    current = rolls.current

    def noted() -> Any:
        looks.append(1)
        return current()

    monkeypatch.setattr(rolls, "current", noted)
    stage.route()

    assert len(looks) == 1
    assert len(stage.inbox()) == 100


def test_a_round_of_named_agents_looks_at_no_register(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked() -> Any:
        raise AssertionError("nobody need know who is registered")

    monkeypatch.setattr(stage.broker.router._sources.rolls, "current", asked)
    monkeypatch.setattr(stage.broker.router._sources.rolls, "recent", asked)

    stage.deliver("bob")
    stage.deliver(("alice", "bob"))

    assert len(stage.inbox()) == 2
