"""Allowances on a real Redis: spend.lua and what is made of it."""

import pytest

from broker.security.rate_limits import Rate, RateLimits
from broker.storage.connection import Client, Redis, connect
from broker.wiring import Broker
from tests.redis.racing import race
from tests.waiting import until

DAY_MS = 86_400_000
HOURLY = Rate(amount=10, period_ms=3_600_000)


@pytest.fixture
def rates(broker: Broker) -> RateLimits:
    return RateLimits(broker.jobs, broker.keys)


def test_so_much_is_granted_and_then_no_more(rates: RateLimits) -> None:
    granted = [rates.spend("alice", HOURLY) for _ in range(10)]
    refused = rates.spend("alice", HOURLY)

    assert [balance.remaining for balance in granted] == [*range(9, -1, -1)]
    assert all(balance.is_granted for balance in granted)
    assert not refused.is_granted
    assert refused.remaining == 0
    assert 359_000 <= refused.one_in_ms <= 360_000
    assert 3_599_000 <= refused.full_in_ms <= 3_600_000


def test_what_is_refused_costs_nothing(rates: RateLimits) -> None:
    for _ in range(10):
        rates.spend("alice", HOURLY)

    waits = [rates.spend("alice", HOURLY).one_in_ms for _ in range(5)]

    assert waits == sorted(waits, reverse=True)


def test_it_refills_evenly(rates: RateLimits) -> None:
    quick = Rate(amount=100, period_ms=200)
    while rates.spend("alice", quick).is_granted:
        pass

    until(lambda: rates.spend("alice", quick).is_granted, within=10, what="the next of its rate")
    assert rates.look("alice", quick).remaining < 100


def test_each_rate_is_an_allowance_of_its_own(rates: RateLimits) -> None:
    while rates.spend("alice", HOURLY).is_granted:
        pass

    assert rates.spend("alice", Rate(amount=1, period_ms=DAY_MS)).is_granted


def test_each_caller_has_an_allowance_of_its_own(rates: RateLimits) -> None:
    for _ in range(11):
        rates.spend("alice", HOURLY)

    assert rates.spend("bob", HOURLY).remaining == 9


def test_what_costs_more_than_is_left_is_granted_once_and_owed(rates: RateLimits) -> None:
    rates.spend("alice", HOURLY)
    owed = rates.owe("alice", HOURLY, 999)
    refused = rates.spend("alice", HOURLY)

    assert owed.is_granted
    assert not refused.is_granted
    assert refused.one_in_ms == pytest.approx(991 * 360_000, abs=2_000)


def test_looking_spends_nothing(rates: RateLimits) -> None:
    rates.spend("alice", HOURLY)

    assert [rates.look("alice", HOURLY).remaining for _ in range(3)] == [9, 9, 9]


def test_an_allowance_leaves_when_it_is_full(broker: Broker, rates: RateLimits) -> None:
    rates.spend("alice", HOURLY)

    left_ms = broker.jobs.command("PTTL", broker.keys.allowance("alice", "10/3600000"))
    assert 0 < left_ms <= 360_000


def test_callers_at_once_are_granted_exactly_the_allowance(rates: RateLimits) -> None:
    balances = race(*[lambda: rates.spend("alice", HOURLY)] * 40)

    assert sum(balance.is_granted for balance in balances) == 10


def test_a_clock_that_was_set_back_makes_nobody_wait_for_it(
    broker: Broker, rates: RateLimits
) -> None:
    small = Rate(amount=10, period_ms=1_000)
    key = broker.keys.allowance("alice", "10/1000")
    seconds, _ = broker.jobs.command("TIME")
    broker.jobs.command("SET", key, (int(seconds) + 365 * 86_400) * 1_000_000)

    assert rates.spend("alice", small).one_in_ms <= 101_000


def test_nobody_is_refused_while_the_server_is_away(broker: Broker) -> None:
    away = Redis(connect("redis://127.0.0.1:1/0"))
    rates = RateLimits(away, broker.keys)

    balances = [rates.spend("alice", Rate(amount=1, period_ms=DAY_MS)) for _ in range(5)]

    assert all(balance.is_granted for balance in balances)
    assert {balance.remaining for balance in balances} == {1}


def test_nobody_is_refused_while_the_server_is_full(broker: Broker, rates: RateLimits) -> None:
    daily = Rate(amount=1, period_ms=DAY_MS)
    rates.spend("alice", daily)

    broker.jobs.command("CONFIG", "SET", "maxmemory", "1")
    try:
        balances = [RateLimits(broker.jobs, broker.keys).spend("bob", daily) for _ in range(3)]
    finally:
        broker.jobs.command("CONFIG", "SET", "maxmemory", "0")

    assert all(balance.is_granted for balance in balances)
    assert not rates.spend("alice", daily).is_granted


def test_a_server_that_lets_callers_wait_is_asked_less_often(broker: Broker) -> None:
    now = [0.0]

    def hang() -> Client:
        now[0] += 10.0
        return connect("redis://127.0.0.1:1/0")

    redis = Redis(hang)
    rates = RateLimits(redis, broker.keys, monotonic=lambda: now[0])
    daily = Rate(amount=5, period_ms=DAY_MS)
    rates.spend("alice", daily)
    redis.client = broker.jobs.client

    now[0] += 49.0
    early = rates.spend("alice", daily)
    now[0] += 1.0
    later = rates.spend("alice", daily)

    assert (early.remaining, later.remaining) == (5, 4)


def test_the_server_is_asked_again_after_a_second(broker: Broker) -> None:
    now = [0.0]
    client = [connect("redis://127.0.0.1:1/0"), broker.jobs.client]
    redis = Redis(lambda: client[0])
    rates = RateLimits(redis, broker.keys, monotonic=lambda: now[0])
    daily = Rate(amount=5, period_ms=DAY_MS)
    rates.spend("alice", daily)

    redis.client = client[1]  # it is back
    soon = rates.spend("alice", daily)
    now[0] = 1.0
    later = rates.spend("alice", daily)

    assert (soon.remaining, later.remaining) == (5, 4)
