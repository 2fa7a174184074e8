"""The activity stream: includes/activity.lua."""

from broker.kernel.ids import AgentId, Partition
from broker.messaging.queue import Accepted
from tests.redis.stage import Stage


def events(stage: Stage, partition: Partition, name: str) -> list[list[str]]:
    entries = stage.broker.redis.command("XRANGE", stage.broker.keys.activity(partition), "-", "+")
    return [
        event[b"ids"].decode().split(" ")
        for _, event in entries
        if event[b"event"] == name.encode()
    ]


def test_a_large_batch_is_told_in_events_of_bounded_size(stage: Stage) -> None:
    results = stage.broker.queue.send_many([stage.draft(body=str(number)) for number in range(60)])

    sender = stage.broker.keys.partition_for(AgentId("alice"))
    told = events(stage, sender, "message.accepted")

    assert [len(names) for names in told] == [25, 25, 10]
    assert [name for names in told for name in names] == [
        result.id for result in results if isinstance(result, Accepted)
    ]
    assert (
        stage.broker.redis.command("HGET", stage.broker.keys.counters(sender), "message.accepted")
        == b"60"
    )
