"""One of several gets the message: standing.lua, take_turns.lua, and strategies routed for real."""

from collections import Counter
from functools import partial

import pytest

from broker.directory.agents import InboxLimits
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId
from broker.messaging.message import Strategy
from broker.routing.pool_store import PoolStore
from tests.redis.conftest import MakeStage
from tests.redis.racing import race
from tests.redis.stage import Stage

WORKERS = tuple(AgentId(f"worker-{number}") for number in range(4))


@pytest.fixture
def pool(stage: Stage) -> Stage:
    """A stage with four agents of tag `pool`."""
    for worker in WORKERS:
        stage.broker.agents.register(worker, {"tags": ("pool",)})
    return stage


class RouterDiedError(Exception):
    """A router was killed, right after it had asked Redis for something."""


def shares(stage: Stage, strategy: Strategy, count: int, **fields: object) -> Counter[str]:
    """How many messages each got of so many that are routed together."""
    drafts = [
        stage.draft("tag:pool", strategy=strategy, **fields)  # type: ignore[arg-type]
        for _ in range(count)
    ]
    stage.broker.queue.send_many(drafts)
    stage.route()
    return Counter({worker: len(stage.inbox(worker)) for worker in WORKERS})


def fall_silent(stage: Stage, *agents: AgentId) -> None:
    """As if these had given no sign of life for an hour."""
    for agent in agents:
        key = stage.broker.keys.heartbeats(stage.broker.keys.partition_for(agent))
        stage.broker.redis.command("ZINCRBY", key, -3_600_000, agent)


@pytest.mark.parametrize("strategy", Strategy)
def test_exactly_one_of_several_gets_the_message(pool: Stage, strategy: Strategy) -> None:
    identifier = pool.deliver("tag:pool", strategy=strategy)

    (receipt,) = pool.broker.archive.receipts(identifier)
    assert receipt.state is DeliveryState.QUEUED
    assert [worker for worker in WORKERS if pool.inbox(worker)] == [receipt.agent_id]


@pytest.mark.parametrize("strategy", Strategy)
def test_one_of_those_named_one_by_one_gets_it_and_the_others_keep_their_room(
    make_stage: MakeStage, strategy: Strategy
) -> None:
    stage = make_stage(queue_max_depth=3)
    stage.register("carol")

    for _ in range(6):
        stage.deliver(("bob", "carol"), strategy=strategy)

    assert len(stage.inbox("bob")) == len(stage.inbox("carol")) == 3


@pytest.mark.parametrize("strategy", [Strategy.ROUND_ROBIN, Strategy.LEAST_LOADED])
def test_messages_routed_together_are_shared_out_evenly(pool: Stage, strategy: Strategy) -> None:
    assert set(shares(pool, strategy, 40).values()) == {10}


def test_turns_go_on_from_message_to_message_and_from_router_to_router(
    pool: Stage, make_stage: MakeStage
) -> None:
    stages = [pool, make_stage()]

    for number in range(8):
        stages[number % 2].deliver("tag:pool", strategy=Strategy.ROUND_ROBIN)

    assert [len(pool.inbox(worker)) for worker in WORKERS] == [2, 2, 2, 2]


def test_the_least_loaded_is_who_has_least_in_its_inbox_and_in_its_hands(pool: Stage) -> None:
    for worker, depth in zip(WORKERS, (3, 1, 2, 2), strict=True):
        for _ in range(depth):
            pool.deliver(worker)
    for _ in range(3):
        pool.ack(pool.lease_one(WORKERS[0]), WORKERS[0])
    pool.lease(WORKERS[1], 1)

    identifier = pool.deliver("tag:pool", strategy=Strategy.LEAST_LOADED)

    assert pool.inbox(WORKERS[0]) == [identifier]


def test_what_the_same_round_has_just_given_an_agent_counts_as_its_load(pool: Stage) -> None:
    busy = [pool.draft(worker) for worker in WORKERS[:3] for _ in range(2)]
    pool.broker.queue.send_many(
        [*busy, pool.draft("tag:pool", strategy=Strategy.LEAST_LOADED), *busy]
    )

    pool.route()

    assert len(pool.inbox(WORKERS[3])) == 1


def test_a_thread_stays_with_one_agent(pool: Stage) -> None:
    first = pool.deliver("tag:pool", strategy=Strategy.STICKY)
    for _ in range(5):
        pool.deliver("tag:pool", strategy=Strategy.STICKY, reply_to=first)

    assert sorted(len(pool.inbox(worker)) for worker in WORKERS) == [0, 0, 0, 6]


@pytest.mark.parametrize("strategy", Strategy)
def test_who_is_offline_not_ready_or_full_is_passed_over(pool: Stage, strategy: Strategy) -> None:
    silent, busy, full, left = WORKERS
    fall_silent(pool, silent)
    pool.broker.agents.patch(busy, {"ready": False})
    pool.deliver(full)
    pool.broker.agents.patch(full, {}, InboxLimits(max_depth=1))

    assert shares(pool, strategy, 8) == {silent: 0, busy: 0, full: 1, left: 8}


def test_who_is_pushed_to_may_be_silent(pool: Stage) -> None:
    pool.broker.agents.patch(WORKERS[0], {"transport": "webhook"})
    fall_silent(pool, *WORKERS)
    pool.broker.agents.reap()

    assert shares(pool, Strategy.RANDOM, 4)[WORKERS[0]] == 4


@pytest.mark.parametrize("strategy", Strategy)
def test_where_nobody_is_up_one_of_them_gets_it_all_the_same(
    pool: Stage, strategy: Strategy
) -> None:
    fall_silent(pool, *WORKERS)
    pool.broker.agents.reap()

    assert shares(pool, strategy, 4).total() == 4


def test_an_inbox_that_fills_up_within_a_round_is_passed_over_from_then_on(pool: Stage) -> None:
    for worker in WORKERS[1:]:
        pool.broker.agents.patch(worker, {}, InboxLimits(max_depth=2))

    assert shares(pool, Strategy.RANDOM, 40) == {
        WORKERS[0]: 34,
        WORKERS[1]: 2,
        WORKERS[2]: 2,
        WORKERS[3]: 2,
    }


def test_who_was_chosen_before_a_router_died_stays_chosen(pool: Stage) -> None:
    identifier = pool.send("tag:pool", strategy=Strategy.LEAST_LOADED)
    batch = pool.take()
    assert batch is not None
    (message,) = pool.routing_store().envelopes(batch.ids).values()
    pool.routing_store().address([(message, (WORKERS[2],))], pool.now())
    pool.deliver(WORKERS[2])
    pool.forget_drainer()

    pool.route()

    assert identifier in pool.inbox(WORKERS[2])
    assert [one.agent_id for one in pool.broker.archive.receipts(identifier)] == [WORKERS[2]]


@pytest.mark.parametrize("step", ["address", "commit", "release"])
@pytest.mark.parametrize("strategy", Strategy)
def test_a_router_that_dies_at_any_step_leaves_each_message_with_one_agent(
    pool: Stage, monkeypatch: pytest.MonkeyPatch, strategy: Strategy, step: str
) -> None:
    store = pool.broker.router._store
    carry_out = getattr(store, step)

    def die(*arguments: object) -> None:
        carry_out(*arguments)
        raise RouterDiedError

    sent = [pool.send("tag:pool", strategy=strategy) for _ in range(8)]
    with monkeypatch.context() as dying:
        dying.setattr(store, step, die)
        with pytest.raises(RouterDiedError):
            pool.broker.router.drain()
    pool.forget_drainer()

    pool.route()

    assert sorted(name for worker in WORKERS for name in pool.inbox(worker)) == sorted(sent)


def test_turns_that_are_taken_at_once_are_all_different(stage: Stage) -> None:
    pools = PoolStore(stage.broker.redis, stage.broker.keys)

    taken = race(*[partial(pools.take_turns, {"tag:x": 3})] * 16)

    assert sorted(one["tag:x"] for one in taken) == list(range(0, 48, 3))


def test_turns_are_forgotten_a_day_after_the_last(stage: Stage) -> None:
    PoolStore(stage.broker.redis, stage.broker.keys).take_turns({"tag:x": 1})

    left_ms = stage.broker.redis.command("PTTL", stage.broker.keys.turns("tag:x"))

    assert 0 < left_ms <= 86_400_000


def test_an_agent_stands_by_its_depth_and_its_last_sign_of_life(pool: Stage) -> None:
    pool.deliver(WORKERS[0])
    fall_silent(pool, WORKERS[1])
    pool.broker.agents.reap()

    found = PoolStore(pool.broker.redis, pool.broker.keys).measure(
        [*WORKERS[:2], AgentId("nobody")]
    )

    here, gone, nobody = found.values()
    assert here.depth == 1
    assert here.silence_ms is not None
    assert here.silence_ms < 60_000
    assert (gone.depth, gone.silence_ms) == (nobody.depth, nobody.silence_ms) == (0, None)
