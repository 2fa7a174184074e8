"""The server's clock is set back: leases and waits last as long as they were meant to.

A test cannot set the clock. It moves everything that the clock is compared with the other way.
"""

from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId
from tests.redis.stage import HOUR_MS, Stage, token
from tests.waiting import until

BOB = AgentId("bob")
MINUTE_MS = 60_000


def set_clock_back(stage: Stage, ms: int) -> None:
    keys, redis = stage.broker.keys, stage.broker.redis
    partition = keys.partition_for(BOB)
    for timed in (keys.leased(BOB), keys.waiting(BOB), keys.alarms(partition)):
        stage.shift(timed, ms)
    mark = int(redis.command("GET", keys.swept_at(partition)))
    redis.command("SET", keys.swept_at(partition), mark + ms)


def end_of(stage: Stage, key: str, member: str) -> int:
    """How many ms from now a lease or wait ends."""
    return int(stage.broker.redis.command("ZSCORE", key, member)) - stage.now()


def test_a_lease_ends_when_it_was_meant_to_and_its_holder_may_still_finish(stage: Stage) -> None:
    identifier = stage.deliver()
    held = stage.lease_one(lease_ms=10 * MINUTE_MS)
    stage.settle()
    set_clock_back(stage, HOUR_MS)

    stage.settle()

    left = end_of(stage, stage.broker.keys.leased(BOB), identifier)
    assert 9 * MINUTE_MS < left <= 10 * MINUTE_MS
    stage.settle()
    assert end_of(stage, stage.broker.keys.leased(BOB), identifier) <= left
    stage.ack(held)


def test_a_lease_that_ended_meanwhile_returns_at_once(stage: Stage) -> None:
    identifier = stage.deliver()
    stage.lease_one(lease_ms=300)
    stage.settle()
    set_clock_back(stage, HOUR_MS)

    def comes_back() -> bool:
        stage.settle()
        return stage.inbox() == [identifier]

    until(comes_back, within=5, what="the message")


def test_a_wait_ends_when_it_was_meant_to(stage: Stage) -> None:
    identifier = stage.deliver()
    held = stage.lease_one()
    stage.broker.inboxes.reject(BOB, identifier, token(held), delay_ms=10 * MINUTE_MS)
    stage.settle()
    set_clock_back(stage, HOUR_MS)

    stage.settle()

    left = end_of(stage, stage.broker.keys.waiting(BOB), identifier)
    assert 9 * MINUTE_MS < left <= 10 * MINUTE_MS
    stage.pass_time(ms=10 * MINUTE_MS)
    stage.settle()
    assert stage.inbox() == [identifier]


def test_a_lease_given_since_then_keeps_its_end(stage: Stage) -> None:
    stage.deliver()
    stage.lease_one(lease_ms=10 * MINUTE_MS)
    stage.settle()
    set_clock_back(stage, HOUR_MS)
    later = stage.deliver()
    stage.lease_one(lease_ms=10 * MINUTE_MS)

    stage.settle()

    left = end_of(stage, stage.broker.keys.leased(BOB), later)
    assert 9 * MINUTE_MS < left <= 10 * MINUTE_MS


def test_a_step_of_a_moment_changes_nothing(stage: Stage) -> None:
    identifier = stage.deliver()
    stage.lease_one(lease_ms=10 * MINUTE_MS)
    stage.settle()
    set_clock_back(stage, 1_000)
    before = stage.broker.redis.command("ZSCORE", stage.broker.keys.leased(BOB), identifier)

    stage.settle()

    after = stage.broker.redis.command("ZSCORE", stage.broker.keys.leased(BOB), identifier)
    assert after == before


def test_order_holds(stage: Stage) -> None:
    before = [stage.send() for _ in range(3)]
    stage.route()
    stage.settle()
    set_clock_back(stage, HOUR_MS)
    after = [stage.send() for _ in range(3)]
    stage.route()

    stage.settle()

    assert stage.inbox() == before + after
    assert stage.state(before[0]) is DeliveryState.QUEUED
