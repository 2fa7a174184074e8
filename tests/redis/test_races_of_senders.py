"""Sending, routing and registering raced by concurrent callers with connections of their own."""

from functools import partial

import pytest

from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, MessageId
from broker.messaging.queue import Accepted
from tests.redis.conftest import MakeStage
from tests.redis.racing import race, succeeded
from tests.redis.stage import Stage

BOB = AgentId("bob")
CALLERS = 8


@pytest.fixture
def stages(make_stage: MakeStage) -> list[Stage]:
    """One stage a caller, all of the same namespace."""
    return [make_stage() for _ in range(CALLERS)]


def test_a_cancellation_and_routing_have_one_winner(stages: list[Stage]) -> None:
    one, other = stages[:2]
    for _ in range(20):
        identifier = one.send()

        result, _ = race(partial(one.broker.withdrawals.cancel, identifier), other.route)

        assert result is None
        one.route()
        assert one.inbox() == []
        assert one.state(identifier) is DeliveryState.CANCELLED


def test_many_drainers_deliver_each_message_once_and_in_order(stages: list[Stage]) -> None:
    senders = [f"sender-{number}" for number in range(8)]
    sent: dict[str, list[MessageId]] = {}
    for sender in senders:
        drafts = [stages[0].draft(sender=sender) for _ in range(100)]
        results = stages[0].broker.queue.send_many(drafts)
        sent[sender] = [result.id for result in results if isinstance(result, Accepted)]

    race(*(stage.route for stage in stages))
    stages[0].route()

    inbox = [(one.message.sender, one.message.id) for one in stages[0].lease(limit=1000)]
    assert len(inbox) == 800
    for sender in senders:
        assert [name for who, name in inbox if who == sender] == sent[sender]


def test_a_commit_raced_by_another_delivers_once(stages: list[Stage]) -> None:
    sent = [stages[0].send() for _ in range(20)]
    batch = stages[0].take()
    assert batch is not None

    race(*(partial(stage.commit, batch) for stage in stages))

    assert stages[0].inbox() == sent


def test_one_idempotency_key_makes_one_message_however_many_send_it(stages: list[Stage]) -> None:
    draft = stages[0].draft(idempotency_key="k1")

    results = succeeded(race(*(partial(stage.broker.queue.send, draft) for stage in stages)))

    assert len({result.id for result in results}) == 1
    assert [result.created for result in results].count(True) == 1
    assert stages[0].route() == 1


def test_new_instances_that_register_at_once_get_an_epoch_each(stages: list[Stage]) -> None:
    def register(stage: Stage, number: int) -> int:
        name = AgentId("dave")
        stage.broker.agents.register(name, {"tags": (str(number),)}, instance_id=str(number))
        return stage.broker.agents.get(name).epoch

    race(*(partial(register, stage, number) for number, stage in enumerate(stages)))

    agent = stages[0].broker.agents.get(AgentId("dave"))
    assert agent.epoch == CALLERS
    assert agent.profile.tags == (agent.instance_id,)


def test_a_deletion_and_routing_lose_no_message(stages: list[Stage]) -> None:
    for _ in range(10):
        stages[0].register("bob")
        identifier = stages[0].send()

        race(partial(stages[0].broker.agents.delete, BOB), stages[1].route)
        stages[1].route()

        assert stages[0].state(identifier) is DeliveryState.DEAD


def test_concurrent_senders_of_one_partition_never_exceed_the_limit(make_stage: MakeStage) -> None:
    stages = [make_stage(queue_max_depth=20) for _ in range(CALLERS)]

    def flood(stage: Stage) -> int:
        results = stage.broker.queue.send_many([stage.draft() for _ in range(10)])
        return sum(isinstance(result, Accepted) for result in results)

    accepted = succeeded(race(*(partial(flood, stage) for stage in stages)))

    stages[0].route()
    assert sum(accepted) == len(stages[0].inbox()) == 20


def test_concurrent_senders_of_many_partitions_exceed_the_limit_by_what_is_on_its_way(
    make_stage: MakeStage,
) -> None:
    limit, batch = 20, 10
    stages = [make_stage(queue_max_depth=limit, partitions=4) for _ in range(CALLERS)]

    def flood(stage: Stage, number: int) -> int:
        accepted = 0
        for _ in range(20):
            drafts = [stage.draft(sender=f"sender-{number}") for _ in range(batch)]
            results = stage.broker.queue.send_many(drafts)
            accepted += sum(isinstance(result, Accepted) for result in results)
            stage.route()
        return accepted

    accepted = succeeded(
        race(*(partial(flood, stage, number) for number, stage in enumerate(stages)))
    )

    stages[0].route()
    depth = len(stages[0].inbox())
    assert sum(accepted) == depth
    # Each sender's partition counts what is on its way from there only: see admission.lua.
    assert limit <= depth <= limit + 3 * limit
