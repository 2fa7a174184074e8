"""Redis without its scripts, without memory, killed, restarted or away."""

from collections.abc import Callable, Iterator

import pytest

from broker.delivery.webhook import WebhookDefinition
from broker.kernel.errors import StaleLeaseError, StorageFullError, StorageUnavailableError
from broker.kernel.events import DeliveryState
from broker.kernel.ids import AgentId, ChannelId
from broker.messaging.message import Strategy
from broker.messaging.queue import Accepted
from broker.messaging.ticket import TicketState
from broker.routing.channels import Definition
from broker.wiring import build_broker
from tests.conftest import MakeSettings, RedisUnderTest
from tests.receivers import Reply, receiving
from tests.redis.pool import Pool
from tests.redis.servers import Server, binary_for, running
from tests.redis.stage import Stage, ids, token
from tests.waiting import until

BOB = AgentId("bob")


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of this test's own, durable as the embedded one."""
    binary = binary_for(request.config.getoption("--redis"))
    with running(binary, appendonly="yes", appendfsync="always") as started:
        yield started


@pytest.fixture
def own_stage(server: Server, settings: MakeSettings) -> Iterator[Stage]:
    """A stage on that server."""
    chosen = settings(redis_url=server.url, jobs_redis_url=server.url, webhook_allow_private=True)
    stage = Stage(broker=build_broker(chosen), settings=chosen)
    stage.broker.prepare()
    stage.register("alice", "bob", "carol")
    yield stage
    stage.broker.redis.client.close()
    stage.broker.jobs.client.close()


def flush_scripts(redis: RedisUnderTest) -> None:
    for node in redis.nodes:
        with node.client() as client:
            client.script_flush()


def test_every_step_survives_the_loss_of_all_scripts(
    stage: Stage, redis_under_test: RedisUnderTest
) -> None:
    stage.register("carol")
    pool = Pool(stage=stage, members=("bob",))

    def claim_release_and_claim_again() -> None:
        message = pool.offer()
        pool.release("bob", pool.claim("bob", message))
        stage.ack(pool.claim("bob", message))

    steps: list[Callable[[], object]] = [
        lambda: stage.register("bob"),
        stage.send,
        lambda: stage.send(("bob", "carol")),
        stage.broker.router.sweep,
        stage.broker.router.drain,
        lambda: stage.ack(stage.lease_one()),
        lambda: stage.broker.inboxes.reject(
            BOB, (held := stage.lease_one()).message.id, token(held), delay_ms=0
        ),
        lambda: stage.reply(stage.deliver(expects_reply=True)),
        claim_release_and_claim_again,
        stage.settle,
    ]

    for step in steps:
        flush_scripts(redis_under_test)
        step()

    assert len(stage.inbox("bob")) == 1
    assert len(stage.inbox("carol")) == 1


def test_many_transitions_in_one_trip_survive_the_loss_of_all_scripts(
    stage: Stage, redis_under_test: RedisUnderTest
) -> None:
    names = [f"agent-{number}" for number in range(20)]
    stage.register(*names)
    flush_scripts(redis_under_test)

    results = stage.broker.queue.send_many([stage.draft(name) for name in names])

    assert all(isinstance(result, Accepted) for result in results)


def exhaust_memory(server: Server) -> None:
    with server.client() as client:
        client.config_set("maxmemory", 1)


def test_without_memory_nothing_is_accepted_and_nothing_half_done(
    own_stage: Stage, server: Server
) -> None:
    exhaust_memory(server)
    with server.client() as client:
        before = client.dbsize()

    with pytest.raises(StorageFullError) as refused:
        own_stage.send(idempotency_key="k1")
    with pytest.raises(StorageFullError):
        own_stage.broker.queue.send_many([own_stage.draft() for _ in range(300)])

    assert refused.value.retry_after_seconds
    with server.client() as client:
        assert client.dbsize() == before
        client.config_set("maxmemory", 0)
    assert own_stage.deliver(idempotency_key="k1") in own_stage.inbox()


def test_without_memory_a_ticket_is_read_and_its_reply_is_refused_whole(
    own_stage: Stage, server: Server
) -> None:
    asked, answered = (own_stage.deliver(expects_reply=True) for _ in range(2))
    own_stage.reply(answered)
    exhaust_memory(server)

    with pytest.raises(StorageFullError):
        own_stage.reply(asked)

    tickets = own_stage.broker.tickets
    assert tickets.get(answered).state is TicketState.RESPONDED
    assert (tickets.get(asked).state, tickets.get(asked).count) == (TicketState.PENDING, 0)
    assert own_stage.state(asked) is DeliveryState.QUEUED
    assert [one.message.id for one in tickets.owed_by(BOB, limit=10)[0]] == [asked]


def test_without_memory_what_was_accepted_is_still_routed_leased_and_finished(
    own_stage: Stage, server: Server
) -> None:
    one, both = own_stage.send(), own_stage.send(("bob", "carol"))
    everyone, due = own_stage.send("broadcast"), own_stage.send(delay_ms=1, expects_reply=True)
    exhaust_memory(server)

    own_stage.broker.router.drain_unrung()

    first, second, third, fourth = own_stage.lease()
    assert ids([first, second, third, fourth]) == [one, both, everyone, due]
    own_stage.ack(first)
    own_stage.broker.inboxes.extend(BOB, both, token(second), lease_ms=5000)
    own_stage.broker.inboxes.reject(BOB, everyone, token(third), permanent=True)
    own_stage.broker.inboxes.reject(BOB, due, token(fourth), delay_ms=0)
    own_stage.settle()
    assert own_stage.state(one) is DeliveryState.ACKNOWLEDGED
    assert own_stage.lease_one().message.id == due


def test_without_memory_groups_and_strategies_still_find_their_recipients(
    own_stage: Stage, server: Server
) -> None:
    own_stage.broker.agents.register(BOB, {"tags": ("x",), "label": "y"})
    to_group, lost = own_stage.send("tag:x"), own_stage.send("label:y")
    to_one = [own_stage.send(("bob", "carol"), strategy=strategy) for strategy in Strategy]
    own_stage.broker.agents.patch(BOB, {"label": None})
    exhaust_memory(server)

    own_stage.broker.router.drain_unrung()

    assert to_group in own_stage.inbox()
    assert own_stage.broker.archive.get(lost).state is DeliveryState.UNDELIVERABLE
    for identifier in to_one:
        assert len(own_stage.broker.archive.receipts(identifier)) == 1
        assert own_stage.broker.archive.get(identifier).state is DeliveryState.QUEUED


def test_without_memory_claims_still_come_to_their_ends_but_none_begins(
    own_stage: Stage, server: Server
) -> None:
    own_stage.register("dora")
    pool = Pool(stage=own_stage)
    done, released, ended, free = (pool.offer() for _ in range(4))
    finished, given_up = pool.claim("bob", done), pool.claim("bob", released)
    late, kept = pool.claim("dora", ended), pool.offer()
    renewed = pool.claim("bob", kept)
    own_stage.lease("carol")  # learns what the others have
    own_stage.pass_time("dora")
    exhaust_memory(server)

    with pytest.raises(StorageFullError):
        pool.claim("bob", free)
    own_stage.ack(finished)
    pool.release("bob", given_up)
    pool.renew("bob", renewed)
    own_stage.settle()

    assert pool.holder(free) is None
    assert own_stage.state(done, "carol") is DeliveryState.TAKEN
    assert {released, ended} <= set(own_stage.inbox("carol"))
    assert pool.holders(kept) == ["bob"]
    with pytest.raises(StaleLeaseError):
        own_stage.ack(late, "dora")


def test_without_memory_channels_are_left_and_read_and_still_reach_their_members(
    own_stage: Stage, server: Server
) -> None:
    channels, x, user = own_stage.broker.channels, ChannelId("x"), AgentId("user")
    channels.create(Definition(id=x, owner=user))
    for name in ("alice", "bob", "carol"):
        channels.join(x, AgentId(name), None)
    posted = own_stage.send("channel:x")
    own_stage.broker.agents.delete(BOB)
    exhaust_memory(server)

    with pytest.raises(StorageFullError):
        channels.create(Definition(id=ChannelId("y"), owner=user))
    channels.leave(x, AgentId("alice"), None)
    own_stage.broker.router.drain_unrung()
    assert own_stage.inbox("carol") == [posted]
    members, _ = channels.members(x, None, limit=10)
    assert {one.agent for one in members} == {user, AgentId("carol")}
    channels.delete(x, None)

    assert channels.find(None, limit=10) == ([], None)


def test_without_memory_agents_still_read_and_live(own_stage: Stage, server: Server) -> None:
    own_stage.deliver()
    held = own_stage.lease_one()
    exhaust_memory(server)

    own_stage.broker.agents.heartbeat(BOB)
    own_stage.ack(held)
    assert own_stage.lease() == []


def test_without_memory_time_still_passes(own_stage: Stage, server: Server) -> None:
    held = own_stage.deliver(ttl_ms=1_000)
    own_stage.lease_one(lease_ms=3_600_000)
    expiring = own_stage.deliver(ttl_ms=1_000)
    returning = own_stage.deliver()
    own_stage.lease(limit=2, lease_ms=100)
    own_stage.outlive(expiring)
    exhaust_memory(server)

    own_stage.settle()

    assert own_stage.inbox() == [returning]
    assert own_stage.state(expiring) is DeliveryState.EXPIRED
    assert own_stage.state(held) is DeliveryState.LEASED


def test_without_memory_webhooks_are_still_pushed_to(own_stage: Stage, server: Server) -> None:
    with receiving() as receiver:
        own_stage.broker.webhooks.set(BOB, WebhookDefinition(url=receiver.url))
        failing, passing = own_stage.deliver(), own_stage.deliver()
        receiver.behaviour = lambda got: Reply(status=500 if got.id == failing else 204)
        exhaust_memory(server)

        own_stage.broker.pusher.sweep()
        until(
            lambda: own_stage.state(passing) is DeliveryState.ACKNOWLEDGED,
            within=5,
            what="it is pushed",
        )
        own_stage.broker.pusher.stop(10)

    assert own_stage.state(failing) is DeliveryState.WAITING


def test_what_was_accepted_is_still_there_after_kill_9(own_stage: Stage, server: Server) -> None:
    accepted = [own_stage.send() for _ in range(50)]
    own_stage.route()
    held = own_stage.lease(limit=10)
    for one in held[:5]:
        own_stage.ack(one)

    server.kill()
    with pytest.raises(StorageUnavailableError) as away:
        own_stage.send()
    assert away.value.retry_after_seconds
    server.start()

    assert own_stage.inbox() == accepted[10:]
    for one in held[5:]:
        own_stage.ack(one)
    assert own_stage.send()
    assert all(own_stage.state(name) is DeliveryState.ACKNOWLEDGED for name in accepted[:10])


def test_a_reader_that_waits_survives_a_restart(own_stage: Stage, server: Server) -> None:
    assert own_stage.lease(wait_seconds=0.1) == []
    server.kill()
    server.start()
    identifier = own_stage.deliver()

    assert ids(own_stage.lease(wait_seconds=5)) == [identifier]


def test_a_read_only_server_is_not_ready(own_stage: Stage, server: Server) -> None:
    with server.client() as client:
        client.replicaof("127.0.0.1", 1)

    with pytest.raises(StorageUnavailableError):
        own_stage.send()
