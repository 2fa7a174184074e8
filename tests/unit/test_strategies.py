"""Which one of several a message goes to: strategies, without any Redis."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.kernel.ids import AgentId, MessageId, Partition, ThreadId, new_id
from broker.messaging.message import Envelope, Strategy
from broker.routing.strategies import Standing, pick

pytestmark = pytest.mark.unit


def envelope(strategy: Strategy, number: int = 0, thread: str | None = None) -> Envelope:
    return Envelope(
        id=MessageId(new_id("msg", at_ms=1, partition=Partition(0), entropy=number)),
        sender=AgentId("alice"),
        to=("tag:x",),
        created_at=1,
        expires_at=2,
        thread_id=ThreadId(thread) if thread else None,
        strategy=strategy,
    )


def standing(agent: str, *, is_up: bool = True, load: int = 0, limit: int = 10) -> Standing:
    return Standing(agent=AgentId(agent), is_up=is_up, load=load, limit=limit)


def pool_of(count: int) -> list[Standing]:
    return [standing(f"agent-{number:02d}") for number in range(count)]


names = st.text("abcdef", min_size=1, max_size=4)
strategies = st.sampled_from(Strategy)
pools = st.lists(
    st.builds(
        standing,
        names,
        is_up=st.booleans(),
        load=st.integers(0, 4),
        limit=st.integers(1, 4),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda one: one.agent,
)


@given(strategies, pools, st.integers(0, 1000), st.integers(0, 2**60))
def test_who_cannot_work_is_passed_over_while_another_can(
    strategy: Strategy, pool: list[Standing], turn: int, number: int
) -> None:
    picked = pick(envelope(strategy, number), pool, turn)

    (chosen,) = [one for one in pool if one.agent == picked]
    assert (chosen.is_up and chosen.has_room) or not any(one.is_up and one.has_room for one in pool)
    assert chosen.has_room or not any(one.has_room for one in pool)


@given(strategies, pools, st.integers(0, 1000), st.integers(0, 2**60))
def test_the_same_message_and_pool_give_the_same_agent(
    strategy: Strategy, pool: list[Standing], turn: int, number: int
) -> None:
    message = envelope(strategy, number)

    assert pick(message, pool, turn) == pick(message, pool, turn)


@given(st.integers(1, 9), st.integers(0, 10**12))
def test_round_robin_gives_each_its_turn(count: int, first: int) -> None:
    pool = pool_of(count)

    picked = [
        pick(envelope(Strategy.ROUND_ROBIN), pool, turn) for turn in range(first, first + count)
    ]

    assert sorted(picked) == [one.agent for one in pool]


@given(pools, st.integers(0, 2**60))
def test_the_least_loaded_is_one_than_whom_nobody_has_less(
    pool: list[Standing], number: int
) -> None:
    up = [one for one in pool if one.is_up and one.has_room]
    picked = pick(envelope(Strategy.LEAST_LOADED, number), pool, 0)

    if up:
        least = min(one.load for one in up)
        assert picked in {one.agent for one in up if one.load == least}


def test_an_idle_pool_shares_its_work_whatever_the_strategy() -> None:
    pool = pool_of(4)

    for strategy in (Strategy.RANDOM, Strategy.LEAST_LOADED):
        picked = Counter(pick(envelope(strategy, number), pool, 0) for number in range(400))
        assert min(picked[one.agent] for one in pool) > 50
    threads = Counter(
        pick(envelope(Strategy.STICKY, thread=f"thread-{number}"), pool, 0) for number in range(400)
    )
    assert min(threads[one.agent] for one in pool) > 50


def test_a_thread_sticks_to_its_agent() -> None:
    pool = pool_of(5)

    picked = {pick(envelope(Strategy.STICKY, n, "thread"), pool, n) for n in range(50)}

    assert len(picked) == 1


def test_when_one_of_a_pool_goes_only_its_own_threads_move() -> None:
    pool = pool_of(5)
    threads = [envelope(Strategy.STICKY, thread=f"thread-{number}") for number in range(200)]
    before = {one.thread: pick(one, pool, 0) for one in threads}

    after = {one.thread: pick(one, pool[1:], 0) for one in threads}

    assert all(after[thread] == agent for thread, agent in before.items() if agent != pool[0].agent)
