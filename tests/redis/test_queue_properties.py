"""Whatever agents, routers and time do: nothing is lost, doubled or overtaken."""

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as profile_of
from hypothesis.stateful import invariant, run_state_machine_as_test

from broker.kernel.ids import AgentId, MessageId
from broker.messaging.receipts import Listing
from tests.conftest import MakeSettings
from tests.redis.queue_machine import QueueMachine


class CheckedQueueMachine(QueueMachine):
    """Compares the broker with the model after each step."""

    @invariant()
    def every_message_is_where_the_model_says_and_nowhere_else(self) -> None:
        for agent in ("bob", "carol"):
            got = self.stage.inbox(agent)
            assert sorted(got) == sorted(copy.id for copy in self.model.inbox(agent))
            keys, redis, name = self.stage.broker.keys, self.stage.broker.redis, AgentId(agent)
            mine = [c for c in self.model.copies.values() if c.recipient == agent]
            live = [c for c in mine if c.state in {"queued", "leased", "waiting"}]
            assert redis.command("HLEN", keys.deliveries(name)) == len(live)
            assert redis.command("ZCARD", keys.expiring(name)) == len(live)
            for key, state in ((keys.leased(name), "leased"), (keys.waiting(name), "waiting")):
                members = {MessageId(m.decode()) for m in redis.command("ZRANGE", key, 0, -1)}
                assert members == {c.id for c in live if c.state == state}

    @invariant()
    def every_receipt_tells_the_truth(self) -> None:
        listed, _ = self.stage.broker.archive.find(Listing(kind="chat"), limit=1000)
        assert len(listed) == len(self.model.copies)
        for one in listed:
            state = self.model.copies[one.message.id].state
            told = {state}
            if state in {"ingress", "taken"}:
                # Its delivery time is the record's, which this test's passing of time leaves alone.
                told = {"delayed" if one.message.deliver_at else "accepted"}
            assert one.state.value in told

    @invariant()
    def what_is_on_its_way_is_counted_exactly(self) -> None:
        keys, redis = self.stage.broker.keys, self.stage.broker.redis
        for sender in ("alice", "dora"):
            partition = keys.partition_for(AgentId(sender))
            here = [
                c
                for c in self.model.in_state("ingress", "taken", "delayed")
                if keys.partition_for(AgentId(c.sender)) == partition
            ]
            for agent in ("bob", "carol"):
                sent = int(redis.command("HGET", keys.sent(partition), agent) or 0)
                arrived = int(redis.command("HGET", keys.arrived(AgentId(agent)), partition) or 0)
                assert sent - arrived == sum(copy.recipient == agent for copy in here)


@pytest.mark.timeout(180)
def test_nothing_is_lost_doubled_or_overtaken(settings: MakeSettings) -> None:
    machine = type("Machine", (CheckedQueueMachine,), {"make_settings": staticmethod(settings)})
    run_state_machine_as_test(machine, settings=profile)


profile = profile_of(
    max_examples=40,
    database=None,
    # Shrinking would take minutes of Redis; a failure prints its steps, and its seed repeats it.
    phases=(Phase.explicit, Phase.generate),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
